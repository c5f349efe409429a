"""JSON files that hold the old or the new content after a crash, never a part of one; and what else brings files to the disk."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any

import orjson

_libc = ctypes.CDLL(None, use_errno=True)
# SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER.
_WRITE_AND_WAIT = 1 | 2 | 4


def write_json(path: Path, content: Any) -> None:
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def read_json(path: Path) -> Any:
    return orjson.loads(path.read_bytes())


def sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Every file below the folder, and the folders themselves."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with Path(parent, name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


def write_back(file: int, offset: int, length: int) -> None:
    """Waits until the disk has been given these bytes of an open file. That they last only `os.fsync` says. Raises OSError."""
    if _libc.sync_file_range(file, ctypes.c_int64(offset), ctypes.c_int64(length), ctypes.c_uint(_WRITE_AND_WAIT)) != 0:
        number = ctypes.get_errno()
        # A sandbox may not have the call: then all of it is written by the fsync at its end.
        if number not in (errno.ENOSYS, errno.EPERM):
            raise OSError(number, os.strerror(number))
