"""What is done to the collections beside requests: writing to disk what they hold, and building their indexes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .collection import Collection
from .optimizer import Optimizer
from .registry import Registry

log = logging.getLogger("embedded_qdrant")

FLUSH_SECONDS = 5.0
OPTIMIZE_SECONDS = 1.0


class Maintenance:
    """Two threads: building indexes may take minutes, and flushing must not wait for it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stopping = threading.Event()
        optimizer = Optimizer(registry, self._stopping)
        self._threads = [
            threading.Thread(target=self._repeat, args=(FLUSH_SECONDS, Collection.make_durable), name="flush", daemon=True),
            threading.Thread(target=self._repeat, args=(OPTIMIZE_SECONDS, optimizer.look_after), name="optimize", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Waits for what is under way; an optimisation is given up, which loses nothing but its work."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, seconds: float, work: Callable[[Collection], None]) -> None:
        while not self._stopping.wait(seconds):
            for collection in self._registry.collections():
                if self._stopping.is_set():
                    return
                _try(work, collection)


def _try(work: Callable[[Collection], None], collection: Collection) -> None:
    try:
        work(collection)
    except BaseException as error:  # A Rust panic is no Exception, and the next round must come.
        # A collection that was deleted meanwhile is closed.
        if "not initialized" not in str(error):
            log.exception("looking after collection %s failed", collection.name)
