"""The folder in which the snapshots of one collection (or of the whole storage) lie, each with its checksum beside it."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

from .disk_room import require_room
from .durable_file import sync_folder
from .errors import ApiError, bad_request, not_found

_SUFFIX = ".snapshot"
# What an earlier process left unfinished bears another mark than this.
_THIS_PROCESS = uuid.uuid4().hex


class SnapshotStore:
    """`folder` need not exist. Snapshots outlive the collection they were made of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def of_collection(snapshots_path: Path, name: str) -> SnapshotStore:
        """`name` is the collection's own name, not an alias. Raises 400 for one that is no folder's name."""
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise bad_request(f"Bad request: `{name}` cannot have snapshots")
        return SnapshotStore(snapshots_path / name)

    def descriptions(self) -> list[dict[str, Any]]:
        """Of all of them, by name."""
        if not self._folder.is_dir():
            return []
        found = sorted(path for path in self._folder.iterdir() if path.suffix == _SUFFIX and path.is_file())
        return [described for path in found if (described := _describe(path)) is not None]

    def describe(self, name: str) -> dict[str, Any]:
        """`{name, creation_time (UTC, no zone), size (bytes), checksum?}`; the checksum is the SHA-256 of the file. Raises 404."""
        described = _describe(self.path(name))
        if described is None:
            raise _missing(name)
        return described

    def path(self, name: str) -> Path:
        """The file of a snapshot. Raises 404 if there is none, or if the name leads out of the folder."""
        path = self._folder / name
        if "/" in name or "\0" in name or path.is_symlink() or not path.is_file():
            raise _missing(name)
        return path

    def delete(self, name: str) -> bool:
        """Raises 404."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        _checksum_path(path).unlink(missing_ok=True)
        return True

    def add(self, source: Path, name: str, checksum: str) -> None:
        """Moves a finished file in, with its checksum; what had the name before is replaced in one step."""
        self._make_ready()
        target = self._folder / name
        # First, so that nobody sees the snapshot without it.
        _write_durably(_checksum_path(target), checksum)
        self._move(source, target)

    def add_uploaded(self, source: Path, name: str, checksum: str) -> Path:
        """Moves a finished file in, and gives its new path. Its checksum is not shown, unless the same file had been made here."""
        self._make_ready()
        target = self._folder / name
        beside = _checksum_path(target)
        if beside.is_file() and beside.read_text() != checksum:
            beside.unlink()
        self._move(source, target)
        return target

    def _make_ready(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".*.partial"):
            if _THIS_PROCESS not in left.name:
                left.unlink(missing_ok=True)

    def _move(self, source: Path, target: Path) -> None:
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(source, target)
        sync_folder(self._folder)

    def _copy(self, source: Path, target: Path) -> None:
        """From another file system, where a move is not one step."""
        require_room(self._folder, source.stat().st_size)
        partial = _partial(self._folder)
        try:
            with source.open("rb") as original, partial.open("wb") as copy:
                shutil.copyfileobj(original, copy, 4 * 1024 * 1024)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def _describe(path: Path) -> dict[str, Any] | None:
    """None if it has been deleted meanwhile."""
    try:
        entry = path.stat()
    except FileNotFoundError:
        return None
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry.st_mtime))
    described: dict[str, Any] = {"name": path.name, "creation_time": created, "size": entry.st_size}
    checksum = _checksum_path(path)
    if checksum.is_file():
        described["checksum"] = checksum.read_text()
    return described


def _checksum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.checksum")


def _write_durably(path: Path, text: str) -> None:
    partial = _partial(path.parent)
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _partial(folder: Path) -> Path:
    return folder / f".{uuid.uuid4().hex}.{_THIS_PROCESS}.partial"


def _missing(name: str) -> ApiError:
    return not_found(f"Not found: Snapshot {name} not found")
