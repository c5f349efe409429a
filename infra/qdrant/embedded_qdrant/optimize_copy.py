"""
`python -m embedded_qdrant.optimize_copy FOLDER`: builds the indexes of the shard in FOLDER, a copy that nobody else has open.

The engine holds Python's lock for as long as it optimises, which may be minutes: in the server's own process everything would stand still.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

import qdrant_edge as edge

from .durable_file import sync_tree

_PR_SET_PDEATHSIG = 1
_NICENESS = 10


def main(folder: Path, parent: int) -> None:
    # Nobody wants the copy any more once the server is gone, however it went.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    os.nice(_NICENESS)
    shard = edge.EdgeShard.load(str(folder))
    shard.optimize()
    shard.close()
    sync_tree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
