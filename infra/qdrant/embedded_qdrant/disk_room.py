"""Refusing what would fill the disk, before it does: the engine maps files with holes, and a hole that cannot be filled kills the process."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ApiError

_RESERVE = 64 * 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def require_room(folder: Path, size: int) -> None:
    """Raises 500 unless `size` bytes more, and a reserve, fit on the file system of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE:
        raise _no_room(f"{-(-size >> 20)} MiB and a reserve of {_RESERVE >> 20} MiB are needed, {free >> 20} MiB are free")


def size_on_disk(folder: Path) -> int:
    """Bytes, without holes."""
    return sum(os.lstat(os.path.join(parent, name)).st_blocks * 512 for parent, _, names in os.walk(folder) for name in names)


@contextmanager
def full_disk_said() -> Iterator[None]:
    """Turns a full disk, where it is met, into an error that says what to do. The caller has changed nothing yet, or takes it back."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _no_room(error.strerror or "disk full") from None


def _no_room(what: str) -> ApiError:
    return ApiError(500, f"Service internal error: No space left on the disk: {what}. Nothing was changed; free some room and try again")
