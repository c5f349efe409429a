"""Putting a snapshot in the place of a collection: unpacked and checked beside it, then swapped in one step. Until then nothing has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

from .collection import CONFIG_FILE
from .collection_config import CollectionConfig
from .disk_room import full_disk_said, require_room
from .durable_file import read_json
from .errors import engine_failed, wrong_input
from .registry import Registry
from .snapshot_archive import UnusableSnapshot, unpack_archive
from .snapshot_source import snapshot_at
from .work_folder import work_folder


def recover_from_location(registry: Registry, name: str, location: SplitResult, *, checksum: str | None, api_key: str | None) -> bool:
    """`name` may be an alias, or of no collection yet: then it is made. `checksum`: the SHA-256 the file must have. Raises ApiError."""
    with work_folder(registry.storage_path) as work, full_disk_said():
        # No lock is held here: the location may be this very server.
        found = snapshot_at(location, api_key=api_key, with_checksum=checksum is not None, work=work, snapshots_path=registry.snapshots_path)
        if checksum is not None and found.sha256 != checksum.lower():
            raise wrong_input(f"Snapshot checksum mismatch: expected {checksum}, got {found.sha256}")
        _recover(registry, name, found.path, work)
    return True


def recover_from_file(registry: Registry, name: str, archive: Path) -> bool:
    """Like recover_from_location, of a file that stays where it is."""
    with work_folder(registry.storage_path) as work, full_disk_said():
        _recover(registry, name, archive, work)
    return True


def _recover(registry: Registry, name: str, archive: Path, work: Path) -> None:
    prepared = work / "collection"
    require_room(work, archive.stat().st_size)
    try:
        unpack_archive(archive, prepared)
        snapshot = CollectionConfig.from_stored(read_json(prepared / CONFIG_FILE)["config"])
    except UnusableSnapshot as error:
        raise engine_failed(error) from None
    real = registry.real_name(name) or name
    if real in registry.names():
        _require_same_schema(snapshot, registry.collection(real).config)
    registry.replace(real, prepared)


def _require_same_schema(snapshot: CollectionConfig, existing: CollectionConfig) -> None:
    if _given(snapshot.dense) != _given(existing.dense) or _given(snapshot.sparse) != _given(existing.sparse):
        raise wrong_input(
            "Snapshot is not compatible with existing collection: "
            f"Collection vectors: {existing.dense} {existing.sparse} Snapshot Vectors: {snapshot.dense} {snapshot.sparse}"
        )


def _given(value: Any) -> Any:
    """Without what is null, which says nothing."""
    return {key: _given(inner) for key, inner in value.items() if inner is not None} if isinstance(value, dict) else value
