"""
The file of a snapshot: a tar of a collection's folder, sparse where the folder is, closed by a seal.

The seal is a last member that holds the SHA-256 of every byte before it. The tar itself would load with a damaged file in it, and the
engine loads a damaged write-ahead log without an error, dropping what follows; with the seal one wrong bit anywhere refuses the whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from .durable_file import write_back

_FORMAT = 1
_HEAD = "embedded-qdrant.json"
_FOLDER = "collection"
_SEAL = "sha256"
_BLOCK = tarfile.BLOCKSIZE
_SEAL_SIZE = 4 * _BLOCK
_CHUNK = 4 * 1024 * 1024
_SYNC_THREADS = 8


class UnusableSnapshot(Exception):
    """The archive is damaged, incomplete, or was not made by this server. One line that says which."""


def write_archive(folder: Path, target: BinaryIO, description: dict[str, Any]) -> None:
    """Writes all but the seal: whoever holds writes back can let go before the slow part. `description` is for people."""
    head = json.dumps({"format": _FORMAT, **description}).encode()
    target.write(_header(_HEAD, len(head)) + _padded(head))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            _write_file(path, f"{_FOLDER}/{path.relative_to(folder).as_posix()}", target)
    target.flush()


def seal_archive(path: Path) -> str:
    """
    Adds the seal and makes the file durable. Gives the SHA-256 of the whole file, in hexadecimal.

    Piece by piece: a disk that is given all of it at once keeps every other commit waiting until it is through.
    """
    with path.open("r+b") as archive:
        digest = hashlib.sha256()
        for chunk in _chunks(archive, os.fstat(archive.fileno()).st_size):
            digest.update(chunk)
            write_back(archive.fileno(), archive.tell() - len(chunk), len(chunk))
        seal = _seal(digest.hexdigest())
        archive.write(seal)
        archive.flush()
        os.fsync(archive.fileno())
    digest.update(seal)
    return digest.hexdigest()


def unpack_archive(path: Path, folder: Path) -> None:
    """Unpacks the collection's folder into the new `folder` and makes it durable. Raises UnusableSnapshot, of damage before it writes anything."""
    with path.open("rb") as archive:
        _check_seal(archive)
        archive.seek(0)
        try:
            with tarfile.open(fileobj=archive, mode="r:") as members:
                _unpack(members, folder)
        except tarfile.TarError as error:
            raise UnusableSnapshot(f"Malformed tar archive: {error}") from None
    _sync(folder)


def _unpack(members: tarfile.TarFile, folder: Path) -> None:
    head = json.loads(_content(members, members.next()))
    if head.get("format") != _FORMAT:
        raise UnusableSnapshot(f"The snapshot has format {head.get('format')!r}, this server reads {_FORMAT}: use the server that made it")
    folder.mkdir()
    for member in members:
        if member.name in (_HEAD, _SEAL):
            continue
        target = folder.joinpath(*_safe_parts(member))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Of all of tarfile's ways this one makes nothing but a regular file, and keeps its holes.
        members.makefile(member, target)


def _safe_parts(member: tarfile.TarInfo) -> tuple[str, ...]:
    """The path of a regular file below the collection's folder. A seal proves that nothing was damaged, not who made it."""
    path = PurePosixPath(member.name)
    if not member.isfile() or path.is_absolute() or ".." in path.parts or path.parts[:1] != (_FOLDER,) or len(path.parts) < 2:
        raise UnusableSnapshot(f"Forbidden entry in tar archive: {member.name!r}")
    return path.parts[1:]


def _check_seal(archive: BinaryIO) -> None:
    body = os.fstat(archive.fileno()).st_size - _SEAL_SIZE
    digest = hashlib.sha256()
    for chunk in _chunks(archive, max(body, 0)):
        digest.update(chunk)
    if body <= 0 or archive.read(_SEAL_SIZE) != _seal(digest.hexdigest()):
        archive.seek(0)
        raise UnusableSnapshot(_why_unsealed(archive))


def _why_unsealed(archive: BinaryIO) -> str:
    try:
        with tarfile.open(fileobj=archive, mode="r:") as members:
            first = members.next()
    except (tarfile.TarError, ValueError, OSError):
        return "Malformed tar archive, unable to read entries"
    if first is not None and first.name == _HEAD:
        return "The snapshot is damaged or incomplete: its bytes are not those that were sealed"
    return "The snapshot was not made by the embedded Qdrant, which reads none but its own"


def _content(members: tarfile.TarFile, member: tarfile.TarInfo | None) -> bytes:
    file = None if member is None or member.name != _HEAD else members.extractfile(member)
    if file is None:
        raise UnusableSnapshot("The snapshot was not made by the embedded Qdrant, which reads none but its own")
    return file.read()


def _write_file(path: Path, name: str, target: BinaryIO) -> None:
    with path.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        pieces = list(_data_of(source.fileno(), size))
        stored = sum(length for _, length in pieces)
        table = b""
        extra: dict[str, str] = {}
        if stored < size:
            # GNU's sparse format 1.0: a table of (offset, length) in decimal goes before the data.
            table = _padded("".join(f"{number}\n" for number in (len(pieces), *(n for piece in pieces for n in piece))).encode())
            extra = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
        target.write(_header(name, len(table) + stored, extra) + table)
        for offset, length in pieces:
            source.seek(offset)
            for chunk in _chunks(source, length):
                target.write(chunk)
        target.write(bytes(-stored % _BLOCK))


def _data_of(file: int, size: int) -> Iterator[tuple[int, int]]:
    """The (offset, length) of everything in the file that is not a hole; of a hole at the end its end, as GNU tar has it."""
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            start = size
        end = min(os.lseek(file, start, os.SEEK_HOLE), size) if start < size else size
        yield start, end - start


def _chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """Exactly `length` bytes. A file that ends earlier is an OSError: it changed under us."""
    while length > 0:
        chunk = file.read(min(length, _CHUNK))
        if not chunk:
            raise OSError("a file became shorter while it was read")
        length -= len(chunk)
        yield chunk


def _header(name: str, size: int, extra: dict[str, str] | None = None) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.pax_headers = extra or {}
    return member.tobuf(tarfile.PAX_FORMAT)


def _seal(digest: str) -> bytes:
    # Two blocks of zeros end a tar.
    return _header(_SEAL, len(digest)) + _padded(digest.encode()) + bytes(2 * _BLOCK)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)


def _sync(folder: Path) -> None:
    """Everything in the folder, and its names, on the disk. Many at once: a file system commits those in one go."""
    found = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in (*names, ".")]
    with ThreadPoolExecutor(_SYNC_THREADS) as pool:
        list(pool.map(_sync_one, found))


def _sync_one(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
