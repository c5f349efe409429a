"""Making snapshots: of a collection, and of everything."""

from __future__ import annotations

import hashlib
import random
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from .collection import Collection
from .disk_room import full_disk_said, require_room, size_on_disk
from .durable_file import read_json, write_json
from .registry import Registry
from .snapshot_archive import seal_archive, write_archive
from .snapshot_store import SnapshotStore
from .work_folder import work_folder

_PEER_FILE = "peer.json"
_peer_lock = threading.Lock()


def create_snapshot(registry: Registry, name: str) -> dict[str, Any]:
    """Of a collection, by name or alias; gives its description. Writes to it wait while its files are copied; reads go on. Raises 404."""
    collection = registry.collection(name)
    store = SnapshotStore.of_collection(registry.snapshots_path, collection.name)
    file_name = f"{collection.name}-{_peer_id(registry.storage_path)}-{_now()}.snapshot"
    with work_folder(registry.storage_path) as work, full_disk_said():
        archive = work / "archive"
        store.add(archive, file_name, _archive_collection(collection, archive))
    return store.describe(file_name)


def create_full_snapshot(registry: Registry) -> dict[str, Any]:
    """
    A tar of one snapshot for each collection, and `config.json` that says which is which and which aliases there are; gives its description.

    The collections are of different moments, as in the real server's.
    """
    store = full_snapshots(registry)
    file_name = f"full-snapshot-{_now()}.snapshot"
    with work_folder(registry.storage_path) as work, full_disk_said():
        archive = work / "archive"
        with tarfile.open(archive, "w:") as members:
            mapping = {}
            for collection in registry.collections():
                part = f"{collection.name}-{_peer_id(registry.storage_path)}-{_now()}.snapshot"
                mapping[collection.name] = part
                _archive_collection(collection, work / "part")
                members.add(work / "part", part)
            config = {"collections_mapping": mapping, "collections_aliases": registry.aliases()}
            (work / "config").write_bytes(orjson.dumps(config, option=orjson.OPT_INDENT_2))
            members.add(work / "config", "config.json")
        store.add(archive, file_name, sha256_of(archive))
    return store.describe(file_name)


def full_snapshots(registry: Registry) -> SnapshotStore:
    return SnapshotStore(registry.snapshots_path)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(4 * 1024 * 1024):
            digest.update(chunk)
    return digest.hexdigest()


def _archive_collection(collection: Collection, archive: Path) -> str:
    """Writes the sealed archive; gives its SHA-256. Only the copying, not the hashing, keeps writers waiting."""
    with collection.writes_stopped():
        require_room(archive.parent, size_on_disk(collection.folder))
        with archive.open("wb") as file:
            write_archive(collection.folder, file, {"collection": collection.name, "created": _now()})
    return seal_archive(archive)


def _now() -> str:
    return time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())


def _peer_id(storage_path: Path) -> int:
    """The number that tells the real server's peers apart: drawn once for a storage."""
    path = storage_path / _PEER_FILE
    with _peer_lock:
        if not path.exists():
            write_json(path, {"peer_id": random.randrange(1 << 50, 1 << 53)})
        return int(read_json(path)["peer_id"])
