"""One collection: its engine shard, its configuration, and who may touch them when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from .collection_config import CollectionConfig
from .durable_file import read_json, sync_tree, write_json
from .operation_record import OperationRecord
from .payload_index import stored_schema
from .rw_lock import ReadWriteLock

SHARD_FOLDER = "shard"
CONFIG_FILE = "config.json"
_LOG_FOLDER = "wal"
# The engine holds Python's lock while it flushes: it is done when nobody writes, or at least this often.
_LONGEST_UNFLUSHED_SECONDS = 30.0
_QUIET_SECONDS = 2.0
# A copy that lacks fewer operations than this has caught up as far as it can while writers go on.
_FEW_OPERATIONS = 10


class Collection:
    """
    A folder with `config.json` and the engine's `shard/`.

    `payload_schema`: `{field: schema as it was given}`. `unindexed_points`: about how many were written since the indexes were built.
    Locks are taken in the order writing, handle; neither may be taken twice by a thread.
    """

    def __init__(self, name: str, folder: Path, config: CollectionConfig, payload_schema: dict[str, Any], shard: edge.EdgeShard) -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self.payload_schema = payload_schema
        self.unindexed_points = 0
        self._shard = shard
        self._handle = ReadWriteLock()
        self._writing = threading.Lock()
        # The number of the next operation; the engine numbers them alike.
        self._operations = 0
        self._synced_operations = 0
        self._flushed_operations = 0
        self._flushed_at = time.monotonic()
        self._written_at = self._flushed_at
        self._record = OperationRecord()

    @staticmethod
    def create(name: str, folder: Path, config: CollectionConfig) -> Collection:
        """Makes the folder. It counts only once the registry names it."""
        (folder / SHARD_FOLDER).mkdir(parents=True)
        shard = edge.EdgeShard.create(str(folder / SHARD_FOLDER), config.to_engine())
        collection = Collection(name, folder, config, {}, shard)
        # The real server counts operations from 1.
        collection.apply(edge.UpdateOperation.delete_points([]), 0)
        collection.save()
        return collection

    @staticmethod
    def load(name: str, folder: Path) -> Collection:
        """Opens a folder that `create` made, or a copy of one. What the engine logged and did not flush is applied again."""
        stored = read_json(folder / CONFIG_FILE)
        config = CollectionConfig.from_stored(stored["config"])
        shard = edge.EdgeShard.load(str(folder / SHARD_FOLDER), config.to_engine())
        collection = Collection(name, folder, config, stored["payload_schema"], shard)
        collection._catch_up(stored["indexed_points"])
        return collection

    def save(self) -> None:
        """Writes what is not in the shard to disk."""
        self._save_in(self.folder)

    @contextmanager
    def read(self) -> Iterator[edge.EdgeShard]:
        """The shard, beside other reads and a write; it is not closed or replaced meanwhile."""
        with self._handle.shared():
            yield self._shard

    @contextmanager
    def write(self) -> Iterator[edge.EdgeShard]:
        """The shard, for one writer at a time, beside reads. Operations go through `apply`."""
        with self._writing, self._handle.shared():
            yield self._shard

    @contextmanager
    def writes_stopped(self) -> Iterator[None]:
        """Reads go on; no write meanwhile, and all that was acknowledged is in the folder's files."""
        with self._writing, self._handle.shared():
            self._flush()
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Neither reads nor writes."""
        with self._writing, self._handle.alone():
            yield

    def apply(self, operation: edge.UpdateOperation, points: int = 1) -> int:
        """
        Only inside `write()`: gives the operation to the shard and returns its number. Raises what the engine raises.

        `points`: how many it writes, as far as is known.
        """
        number = self._operations
        # The engine logs and numbers an operation also when it then fails.
        self._operations += 1
        self._written_at = time.monotonic()
        self.unindexed_points += points
        self._record.add(operation, points)
        self._shard.update(operation)
        return number

    def set_index(self, field: str, schema: str | dict[str, Any] | None) -> None:
        """Only inside `write()`: records an index's schema, or that there is none."""
        others = {name: known for name, known in self.payload_schema.items() if name != field}
        self.payload_schema = others if schema is None else {**others, field: schema}
        self.save()

    def set_config(self, config: CollectionConfig) -> None:
        """Only inside `write()`, for a change that the shard already has."""
        self.config = config
        self.save()

    def reconfigure(self, change: Callable[[CollectionConfig], CollectionConfig]) -> None:
        """Opens the shard anew with the changed configuration; whether it is worth indexing is to be seen again."""
        with self.exclusive():
            config = change(self.config)
            self._record.stop()
            self._shard.close()
            try:
                self._shard = edge.EdgeShard.load(str(self.folder / SHARD_FOLDER), config.to_engine())
            except Exception:
                self._shard = edge.EdgeShard.load(str(self.folder / SHARD_FOLDER), self.config.to_engine())
                raise
            self.config = config
            self.unindexed_points = self._shard.info().points_count
            self.save()

    def seconds_since_write(self) -> float:
        return time.monotonic() - self._written_at

    def start_recording(self) -> None:
        """Only inside `writes_stopped()`: from now on operations are kept for a copy that was made there."""
        self._record.start()
        self.unindexed_points = 0

    def is_recording(self) -> bool:
        """False also if there was more to keep than memory should hold, or the copy's configuration is no longer this one's."""
        return self._record.is_complete

    def recorded_so_far(self) -> Iterator[edge.UpdateOperation]:
        """Operations that the copy lacks, until it has almost caught up."""
        few = False
        while not few:
            with self._writing:
                operations = self._record.take()
            yield from operations
            few = len(operations) < _FEW_OPERATIONS

    def stop_recording(self) -> None:
        with self._writing:
            self._record.stop()

    def take_over(
        self, shard: edge.EdgeShard, folder: Path, move: Callable[[], bool], replay: Callable[[edge.EdgeShard, edge.UpdateOperation], None]
    ) -> edge.EdgeShard | None:
        """
        Puts the copy in the shard's place and returns the old shard; None if the copy is not good for it.

        `move`: says to the registry that `folder` is the collection's now; false if the collection is gone.
        """
        with self.exclusive():
            if not self._record.is_complete:
                return None
            for operation in self._record.take():
                replay(shard, operation)
            if shard.info().points_count != self._shard.info().points_count:
                return None
            self._save_in(folder, shard)
            sync_tree(folder / SHARD_FOLDER / _LOG_FOLDER)
            if not move():
                return None
            old, self._shard = self._shard, shard
            self._record.stop()
            return old

    def make_durable(self) -> None:
        """Puts on the disk what a power cut would take: at once what is in the log, and everything else when it disturbs nobody."""
        if self._operations == self._flushed_operations:
            return
        due = time.monotonic() - self._flushed_at >= _LONGEST_UNFLUSHED_SECONDS
        if due or self.seconds_since_write() >= _QUIET_SECONDS:
            with self.write():
                self._flush()
        elif self._operations != self._synced_operations:
            written = self._operations
            with self._handle.shared():
                sync_tree(self.folder / SHARD_FOLDER / _LOG_FOLDER)
            self._synced_operations = written

    def close(self) -> None:
        """Waits for those who use the shard; afterwards its files are complete and its lock is free."""
        with self.exclusive():
            self._record.stop()
            self._shard.close()

    def _flush(self) -> None:
        self._shard.flush()
        self._flushed_operations = self._synced_operations = self._operations
        self._flushed_at = time.monotonic()

    def _save_in(self, folder: Path, shard: edge.EdgeShard | None = None) -> None:
        indexed = max(0, (shard or self._shard).info().points_count - self.unindexed_points)
        content = {"config": self.config.to_stored(), "payload_schema": self.payload_schema, "indexed_points": indexed}
        write_json(folder / CONFIG_FILE, content)

    def _catch_up(self, indexed_points: int) -> None:
        """After a crash the engine may know more than our files: the next operation's number, and indexes."""
        info = self._shard.info()
        known = info.payload_schema
        self.payload_schema = {field: self.payload_schema.get(field) or stored_schema(index) for field, index in known.items()}
        self.unindexed_points = max(0, info.points_count - indexed_points)
        # The engine tells a number only of an operation that changes a segment; this one changes nothing else.
        self._shard.update(edge.UpdateOperation.delete_field_index('"embedded_qdrant: no such field"'))
        self._operations = 1 + max(part["segment_version"] for part in self._shard.snapshot_manifest().values())
