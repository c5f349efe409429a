"""
Building indexes without holding anyone up.

The engine's own `optimize` holds Python's lock until it is done. So a copy of the shard is optimised by a process of its own; what is
written meanwhile is written down, applied to the copy afterwards, and then the copy takes the shard's place in one step.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import qdrant_edge as edge

from .collection import SHARD_FOLDER, Collection
from .disk_room import size_on_disk
from .registry import Registry
from .sparse_copy import copy_tree

log = logging.getLogger("embedded_qdrant")

_POLL_SECONDS = 0.1
# A collection that is being filled is left alone until it rests, or until it has much to gain.
_QUIET_SECONDS = 2.0
_MUCH = 10
_PAUSE_SECONDS = 60.0
_RESERVE_BYTES = 256 * 1024 * 1024


class Optimizer:
    """One collection at a time."""

    def __init__(self, registry: Registry, stopping: threading.Event) -> None:
        self._registry = registry
        self._stopping = stopping
        self._not_before: dict[Path, float] = {}

    def look_after(self, collection: Collection) -> None:
        if self._is_due(collection):
            self._optimize(collection)

    def _is_due(self, collection: Collection) -> bool:
        due = collection.config.points_worth_indexing()
        if due is None or collection.unindexed_points < due:
            return False
        quiet = collection.seconds_since_write() >= _QUIET_SECONDS or collection.unindexed_points >= _MUCH * due
        return quiet and time.monotonic() >= self._not_before.get(collection.folder, 0.0)

    def _optimize(self, collection: Collection) -> None:
        self._not_before = {collection.folder: time.monotonic() + _PAUSE_SECONDS}
        if shutil.disk_usage(collection.folder).free < 2 * size_on_disk(collection.folder) + _RESERVE_BYTES:
            log.warning("collection %s is not indexed: there is no room on the disk for a second copy of it", collection.name)
            return
        folder = self._registry.new_folder()
        started = time.monotonic()
        took_its_place = False
        try:
            with collection.writes_stopped():
                copy_tree(collection.folder, folder)
                collection.start_recording()
            took_its_place = self._index(collection, folder)
            outcome = "indexed" if took_its_place else "not indexed, for it was changed too much meanwhile"
            log.info("collection %s: %s, after %.1f s", collection.name, outcome, time.monotonic() - started)
        finally:
            collection.stop_recording()
            if not took_its_place:
                shutil.rmtree(folder, ignore_errors=True)

    def _index(self, collection: Collection, folder: Path) -> bool:
        if not self._run_child(collection, folder / SHARD_FOLDER):
            return False
        shard = edge.EdgeShard.load(str(folder / SHARD_FOLDER))
        for operation in collection.recorded_so_far():
            replay(shard, operation)
        old = collection.folder
        previous = collection.take_over(shard, folder, lambda: self._registry.move(collection, folder), replay)
        if previous is None:
            shard.close()
            return False
        previous.close()
        shutil.rmtree(old, ignore_errors=True)
        return True

    def _run_child(self, collection: Collection, shard_folder: Path) -> bool:
        package = Path(__file__).resolve().parent
        child = subprocess.Popen(
            [sys.executable, "-m", f"{package.name}.optimize_copy", str(shard_folder), str(os.getpid())],
            # Nothing of our environment: it holds the API keys.
            env={"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            while child.poll() is None:
                if self._stopping.wait(_POLL_SECONDS) or not collection.is_recording():
                    return False
        finally:
            child.kill()
            child.wait()
        if child.returncode != 0:
            log.error("indexing collection %s ended with status %s; it is served as it was", collection.name, child.returncode)
        return child.returncode == 0


def replay(shard: edge.EdgeShard, operation: edge.UpdateOperation) -> None:
    """Applies to the copy what the shard was given. What failed there fails here: whoever sent it knows."""
    try:
        shard.update(operation)
    except Exception as error:
        log.debug("an operation failed again on the indexed copy: %s", error)
    # Let requests have their turn between two operations.
    time.sleep(0)
