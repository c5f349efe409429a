"""Which collections and aliases there are. One file says it, so that a crash leaves the old or the new state of all of them."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
import uuid
from pathlib import Path
from typing import Any

from .collection import Collection
from .collection_config import CollectionConfig
from .disk_watch import DiskWatch
from .durable_file import read_json, sync_folder, write_json
from .errors import bad_request, conflict, not_found

log = logging.getLogger("embedded_qdrant")

REGISTRY_FILE = "registry.json"
COLLECTIONS_FOLDER = "collections"
LOCK_FILE = ".lock"


class StorageInUse(Exception):
    """Another process has this storage open."""


class BrokenStorage(Exception):
    """A collection cannot be opened. One line that names it."""


class Registry:
    """`registry.json` maps collections to folders and aliases to collections. A folder that it does not name is rubbish of a crash."""

    def __init__(self, storage_path: Path, snapshots_path: Path) -> None:
        self.storage_path = storage_path
        self.snapshots_path = snapshots_path
        self.disk = DiskWatch(storage_path)
        self._lock = threading.RLock()
        self._collections: dict[str, Collection] = {}
        self._aliases: dict[str, str] = {}

    def open(self) -> None:
        """Loads every collection. Raises StorageInUse, BrokenStorage."""
        (self.storage_path / COLLECTIONS_FOLDER).mkdir(parents=True, exist_ok=True)
        self.snapshots_path.mkdir(parents=True, exist_ok=True)
        self._take_storage()
        state = self._stored_state()
        self._aliases = state["aliases"]
        self._remove_rubbish(set(state["collections"].values()))
        for name, folder in state["collections"].items():
            self._collections[name] = _load(name, self._folder(folder))

    def close(self) -> None:
        """Flushes and closes every collection."""
        for collection in self.collections():
            collection.close()

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._collections)

    def collections(self) -> list[Collection]:
        with self._lock:
            return list(self._collections.values())

    def aliases(self) -> dict[str, str]:
        """Collection name by alias."""
        with self._lock:
            return dict(self._aliases)

    def real_name(self, name: str) -> str | None:
        """The collection's own name, also for an alias; None if there is neither."""
        with self._lock:
            real = self._aliases.get(name, name)
            return real if real in self._collections else None

    def collection(self, name: str) -> Collection:
        """By name or alias. Raises 404."""
        with self._lock:
            found = self._collections.get(self._aliases.get(name, name))
        if found is None:
            raise not_found(f"Not found: Collection `{name}` doesn't exist!")
        return found

    def create(self, name: str, config: CollectionConfig) -> None:
        """Raises 409 if the collection exists, 400 if an alias has the name, 500 if the disk is full."""
        self.disk.require_room()
        with self._lock:
            if name in self._collections:
                raise conflict(f"Wrong input: Collection `{name}` already exists!")
            if name in self._aliases:
                raise bad_request(f"Wrong input: Can't create collection with name {name}. Alias with the same name already exists")
            collection = Collection.create(name, self.new_folder(), config)
            sync_folder(collection.folder.parent)
            self._collections[name] = collection
            self._save()

    def delete(self, name: str) -> bool:
        """False if there is none of that name; an alias is not followed."""
        with self._lock:
            collection = self._collections.pop(name, None)
            if collection is None:
                return False
            self._aliases = {alias: target for alias, target in self._aliases.items() if target != name}
            self._save()
        _retire(collection)
        return True

    def replace(self, name: str, prepared: Path) -> None:
        """
        Puts the collection in `prepared` (a folder as Collection.folder is) in place of collection `name`, or makes it.

        `prepared` must be on the storage's file system; it is moved. A crash leaves the old or the new one.
        """
        folder = self.new_folder()
        with self._lock:
            prepared.rename(folder)
            sync_folder(folder.parent)
            fresh = Collection.load(name, folder)
            old = self._collections.get(name)
            self._collections[name] = fresh
            self._save()
        if old is not None:
            _retire(old)

    def move(self, collection: Collection, folder: Path) -> bool:
        """Says that all of the collection is in another folder now. False, and nothing done, if the collection is gone."""
        with self._lock:
            if self._collections.get(collection.name) is not collection:
                return False
            collection.folder = folder
            self._save()
            return True

    def new_folder(self) -> Path:
        """For a collection to be. Until the registry names it, it is rubbish."""
        # Not the collection's name: names may hold what folders may not, and a deleted collection may still be in use.
        return self._folder(uuid.uuid4().hex)

    def change_aliases(self, change: Any) -> None:
        """Runs `change(collections, aliases)`, which may change the second, and stores what it leaves, also when it raises."""
        with self._lock:
            aliases = dict(self._aliases)
            try:
                change(self._collections.keys(), aliases)
            finally:
                self._aliases = aliases
                self._save()

    def _folder(self, folder: str) -> Path:
        return self.storage_path / COLLECTIONS_FOLDER / folder

    def _stored_state(self) -> dict[str, Any]:
        path = self.storage_path / REGISTRY_FILE
        return read_json(path) if path.exists() else {"collections": {}, "aliases": {}}

    def _save(self) -> None:
        folders = {name: collection.folder.name for name, collection in self._collections.items()}
        write_json(self.storage_path / REGISTRY_FILE, {"collections": folders, "aliases": self._aliases})

    def _remove_rubbish(self, known: set[str]) -> None:
        for entry in (self.storage_path / COLLECTIONS_FOLDER).iterdir():
            if entry.name not in known:
                log.info("removing a collection folder that was never finished or already deleted: %s", entry.name)
                shutil.rmtree(entry, ignore_errors=True)

    def _take_storage(self) -> None:
        handle = os.open(self.storage_path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise StorageInUse(
                f"another server uses the storage {self.storage_path}: stop it or set QDRANT__STORAGE__STORAGE_PATH"
            ) from None
        # Never closed: the lock is to last as long as the process.


def _load(name: str, folder: Path) -> Collection:
    try:
        return Collection.load(name, folder)
    except BaseException as error:  # A Rust panic is no Exception.
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise BrokenStorage(f"collection `{name}` in {folder} cannot be opened: {error}") from error


def _retire(collection: Collection) -> None:
    """Closes and removes it once nobody uses it any more."""

    def finish() -> None:
        collection.close()
        shutil.rmtree(collection.folder, ignore_errors=True)

    threading.Thread(target=finish, name=f"retire {collection.folder.name}", daemon=True).start()
