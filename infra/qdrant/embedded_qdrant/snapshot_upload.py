"""Receiving a snapshot as multipart form data, straight to disk: it may be larger than the memory."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import anyio
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .disk_room import require_room
from .errors import PlainError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD = b"snapshot"
_BATCH = 1024 * 1024


class Received(NamedTuple):
    """`name`: the file's name without folders, or a new one if it has none. `sha256` is of the file."""

    name: str
    sha256: str


def boundary_of(content_type: str | None) -> bytes:
    """Raises 400 or 415, in plain text."""
    if content_type is None:
        raise PlainError(400, "Could not find Content-Type header")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise PlainError(415, "Parsed Content-Type did not have 'multipart' top-level media type")
    if not options.get(b"boundary"):
        raise PlainError(400, "Multipart boundary is not found")
    return options[b"boundary"]


async def receive(stream: AsyncIterator[bytes], boundary: bytes, target: Path) -> Received:
    """Writes the form's field `snapshot` to `target`. Raises 400 in plain text for a malformed form or one without it, 500 for a full disk."""
    with target.open("wb") as file:
        form = _Form(boundary, file)
        async for batch in _batches(stream):
            require_room(target.parent, len(batch))
            await anyio.to_thread.run_sync(form.feed, batch)
        return await anyio.to_thread.run_sync(form.received)


async def _batches(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Fewer, larger pieces: each costs a change of thread."""
    held = bytearray()
    async for chunk in stream:
        held += chunk
        if len(held) >= _BATCH:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


class _Form:
    def __init__(self, boundary: bytes, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._header = [b"", b""]
        self._disposition = b""
        self._name: str | None = None
        self._inside = False
        self._ended = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_ends,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise PlainError(400, "Error during field parsing") from None

    def received(self) -> Received:
        if not self._ended:
            raise PlainError(400, "Multipart stream is incomplete")
        if self._name is None:
            raise PlainError(400, "Required field is missing: snapshot")
        self._file.flush()
        os.fsync(self._file.fileno())
        return Received(self._name, self._digest.hexdigest())

    def _part_begins(self) -> None:
        self._disposition = b""
        self._header = [b"", b""]

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _header_ends(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise PlainError(400, 'Content-Disposition header was not found when parsing a "form-data" field')
        # Of two fields of the name the first one counts.
        self._inside = options[b"name"] == _FIELD and self._name is None
        if self._inside:
            self._name = _file_name(options.get(b"filename", b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            piece = memoryview(data)[start:end]
            self._digest.update(piece)
            self._file.write(piece)

    def _part_ends(self) -> None:
        self._inside = False

    def _end(self) -> None:
        self._ended = True


def _file_name(given: bytes) -> str:
    try:
        name = given.decode().rpartition("/")[2]
    except UnicodeDecodeError:
        name = ""
    return uuid.uuid4().hex if name in ("", ".", "..") or "\0" in name else name
