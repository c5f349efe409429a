"""What is written to a shard while a copy of it is worked on, so that the copy can catch up."""

from __future__ import annotations

import qdrant_edge as edge

# All of it is kept in memory: with more the copy is better given up.
_MOST_POINTS = 100_000


class OperationRecord:
    def __init__(self) -> None:
        self._operations: list[edge.UpdateOperation] | None = None
        self._points = 0

    def start(self) -> None:
        self._operations, self._points = [], 0

    def stop(self) -> None:
        self._operations = None

    @property
    def is_complete(self) -> bool:
        """False if it was never started, was stopped, or became too long."""
        return self._operations is not None

    def add(self, operation: edge.UpdateOperation, points: int) -> None:
        if self._operations is None:
            return
        self._points += points
        if self._points > _MOST_POINTS:
            self._operations = None
        else:
            self._operations.append(operation)

    def take(self) -> list[edge.UpdateOperation]:
        """What came since the last time."""
        if self._operations is None:
            return []
        taken, self._operations = self._operations, []
        return taken
