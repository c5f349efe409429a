"""/snapshots and /collections/{name}/snapshots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from .disk_room import full_disk_said, require_room
from .endpoint import Accepted, Call, endpoint
from .errors import ApiError, PlainError, not_served
from .recover import recover_from_file, recover_from_location
from .snapshot_params import recover_request, upload_checksum, wait_param
from .snapshot_store import SnapshotStore
from .snapshot_upload import Received, boundary_of, receive
from .snapshots import create_full_snapshot, create_snapshot, full_snapshots
from .work_folder import work_folder

log = logging.getLogger("embedded_qdrant")

# Threads of its own: a recovery may be downloading from this very server, which must have threads left to answer it.
_POOL = ThreadPoolExecutor(4, thread_name_prefix="snapshot")
_DOWNLOAD_CHUNK = 1024 * 1024

_COLLECTION = "/collections/{collection_name}/snapshots"
_SHARD = "/collections/{collection_name}/shards/{shard}"


async def _create(call: Call) -> Any:
    return await _finish(call, lambda: create_snapshot(call.registry, _name(call)))


def _list(call: Call) -> Any:
    return _store(call).descriptions()


async def _delete(call: Call) -> Any:
    return await _finish(call, lambda: _store(call).delete(call.params["snapshot_name"]))


def _download(call: Call) -> Response:
    return _file(call, _store)


async def _recover(call: Call) -> Any:
    wanted = recover_request(call.body)
    return await _finish(
        call, lambda: recover_from_location(call.registry, _name(call), wanted.location, checksum=wanted.checksum, api_key=wanted.api_key)
    )


async def _upload(call: Call) -> Any:
    with work_folder(call.registry.storage_path) as work, full_disk_said():
        received = await _receive(call, work / "uploaded")
        # Under the name that was asked for, also if it is an alias: so the real server does.
        store = SnapshotStore.of_collection(call.registry.snapshots_path, _name(call))
        path = await asyncio.to_thread(store.add_uploaded, work / "uploaded", received.name, received.sha256)
    return await _finish(call, lambda: recover_from_file(call.registry, _name(call), path))


async def _receive(call: Call, target: Path) -> Received:
    stream = call.request.stream()
    try:
        boundary = boundary_of(call.request.headers.get("content-type"))
        wait_param(call.query)
        checksum = upload_checksum(call.query)
        require_room(target.parent, int(call.request.headers.get("content-length", 0)))
        received = await receive(stream, boundary, target)
    except ApiError:
        # Read to its end, or the client gets a broken pipe in place of the answer.
        async for _ in stream:
            pass
        raise
    if checksum is not None and checksum.lower() != received.sha256:
        raise ApiError(400, f"Checksum mismatch: expected {received.sha256}, actual {checksum}")
    return received


async def _create_full(call: Call) -> Any:
    return await _finish(call, lambda: create_full_snapshot(call.registry))


def _list_full(call: Call) -> Any:
    return full_snapshots(call.registry).descriptions()


async def _delete_full(call: Call) -> Any:
    return await _finish(call, lambda: full_snapshots(call.registry).delete(call.params["snapshot_name"]))


def _download_full(call: Call) -> Response:
    return _file(call, lambda call: full_snapshots(call.registry))


def _shard_snapshots(_: Call) -> Any:
    raise not_served("snapshots of single shards")


async def _finish(call: Call, work: Callable[[], Any]) -> Any:
    """The result of the work, or Accepted while it goes on: its error is then in the log only."""
    if wait_param(call.query):
        return await asyncio.get_running_loop().run_in_executor(_POOL, work)
    _POOL.submit(_logged, work)
    return Accepted()


def _logged(work: Callable[[], Any]) -> None:
    try:
        work()
    except ApiError as error:
        log.error("an accepted snapshot operation failed: %s", error.message)
    except BaseException:  # A Rust panic is no Exception.
        log.exception("an accepted snapshot operation failed")


def _file(call: Call, store: Callable[[Call], SnapshotStore]) -> Response:
    """Errors are plain text here."""
    try:
        path = store(call).path(call.params["snapshot_name"])
    except ApiError as error:
        raise PlainError(error.status, error.message) from None
    # `identity`: what is compressed on the way has no length, and a part of it cannot be asked for.
    response = FileResponse(path, media_type="application/octet-stream", filename=path.name, headers={"content-encoding": "identity"})
    response.chunk_size = _DOWNLOAD_CHUNK
    return response


def _store(call: Call) -> SnapshotStore:
    """Of an existing collection, by its own name or an alias. Raises 404."""
    return SnapshotStore.of_collection(call.registry.snapshots_path, call.registry.collection(_name(call)).name)


def _name(call: Call) -> str:
    return call.params["collection_name"]


routes = [
    endpoint("GET", _COLLECTION, _list, writes=False),
    endpoint("POST", _COLLECTION, _create, writes=True),
    endpoint("POST", f"{_COLLECTION}/upload", _upload, writes=True, new_collection=True),
    endpoint("PUT", f"{_COLLECTION}/recover", _recover, writes=True, body="json"),
    endpoint("GET", f"{_COLLECTION}/{{snapshot_name}}", _download, writes=False),
    endpoint("DELETE", f"{_COLLECTION}/{{snapshot_name}}", _delete, writes=True),
    endpoint("GET", "/snapshots", _list_full, writes=False),
    endpoint("POST", "/snapshots", _create_full, writes=True),
    endpoint("GET", "/snapshots/{snapshot_name}", _download_full, writes=False),
    endpoint("DELETE", "/snapshots/{snapshot_name}", _delete_full, writes=True),
    endpoint("GET", f"{_SHARD}/snapshots", _shard_snapshots, writes=False),
    endpoint("POST", f"{_SHARD}/snapshots", _shard_snapshots, writes=True),
    endpoint("POST", f"{_SHARD}/snapshots/upload", _shard_snapshots, writes=True),
    endpoint("PUT", f"{_SHARD}/snapshots/recover", _shard_snapshots, writes=True),
    endpoint("GET", f"{_SHARD}/snapshots/{{snapshot_name}}", _shard_snapshots, writes=False),
    endpoint("DELETE", f"{_SHARD}/snapshots/{{snapshot_name}}", _shard_snapshots, writes=True),
    endpoint("GET", f"{_SHARD}/snapshot", _shard_snapshots, writes=False),
]
