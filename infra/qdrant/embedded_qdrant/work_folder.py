"""Folders for unfinished things, on the storage's file system, so that what is finished moves into place in one step."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .registry import COLLECTIONS_FOLDER


@contextmanager
def work_folder(storage_path: Path) -> Iterator[Path]:
    """A new folder, removed at the end. The registry removes what a crash leaves: it keeps no folder there that it does not know."""
    folder = Path(tempfile.mkdtemp(prefix="unfinished-", dir=storage_path / COLLECTIONS_FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
