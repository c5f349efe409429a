"""Refusing writes before the disk is full: the engine maps files with holes, and a hole that cannot be filled kills the process."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .errors import engine_failed

_LEAST_BYTES = 128 * 1024 * 1024
_SECONDS = 1.0


class DiskWatch:
    """Looks once a second at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_at = float("-inf")
        self._is_full = False

    def require_room(self) -> None:
        """Raises 500."""
        now = time.monotonic()
        if now - self._looked_at >= _SECONDS:
            found = os.statvfs(self._folder)
            self._is_full = found.f_bavail * found.f_frsize < _LEAST_BYTES
            self._looked_at = now
        if self._is_full:
            raise engine_failed("No space left on device: WAL buffer size exceeds available disk space")
