"""From an HTTP request to a handler's arguments, and from its result to Qdrant's envelope."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .auth import refuse_read_only
from .errors import ApiError, PlainError, engine_failed, malformed_body
from .registry import Registry
from .settings import Settings
from .validation import check_collection_name

log = logging.getLogger("embedded_qdrant")

BodyKind = Literal["none", "json", "optional"]
PoolKind = Literal["reads", "writes", "slow"]

# Writers may wait for one another (and for a snapshot); they must not take the threads that reads need.
_POOLS: dict[str, ThreadPoolExecutor] = {
    "reads": ThreadPoolExecutor(8, thread_name_prefix="read"),
    "writes": ThreadPoolExecutor(8, thread_name_prefix="write"),
    "slow": ThreadPoolExecutor(4, thread_name_prefix="slow"),
}


@dataclass(slots=True)
class Call:
    """One request. `params`: the path's, decoded. `body`: parsed JSON, None if there is none."""

    registry: Registry
    params: dict[str, str]
    query: QueryParams
    body: Any
    request: Request
    settings: Settings


@dataclass(frozen=True)
class Accepted:
    """A handler returns it for work that goes on after the answer: 202, status `accepted`, no result."""


Handler = Callable[[Call], Any]


def endpoint(
    method: str,
    path: str,
    handler: Handler,
    *,
    writes: bool,
    body: BodyKind = "none",
    pool: PoolKind | None = None,
    new_collection: bool = False,
) -> Route:
    """
    A route whose handler's return value is put in the envelope; a Response is sent as it is, `Accepted()` is a 202.

    The handler runs in a thread of `pool` (by default that of reads or of writes); an `async def` handler runs on the event loop instead.
    `body`: "json" is parsed and refused if empty, "optional" is None if empty, "none" is left unread.
    `writes`: refused to the read-only key. `new_collection`: the path's collection name must be one that may be created.
    """
    runner = _runner(handler, pool or ("writes" if writes else "reads"))

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        try:
            params = _path_params(request, new_collection)
            parsed = await _read_body(request, body)
            if writes:
                refuse_read_only(request.scope)
            result = await runner(_call(request, params, parsed))
        except PlainError as error:
            return PlainTextResponse(error.message, error.status)
        except ApiError as error:
            return error_response(error, started)
        except ClientDisconnect:
            return Response(status_code=400)
        except BaseException as error:
            # A Rust panic is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            log.exception("%s %s failed", request.method, request.scope["path"])
            return error_response(engine_failed(error), started)
        return _success(result, started)

    route = Route(path, answer, methods=[method])
    # Starlette adds HEAD to GET; the real server knows no HEAD.
    route.methods = {method}
    return route


def error_response(error: ApiError, started: float | None = None) -> Response:
    elapsed = 0.0 if started is None else time.perf_counter() - started
    return _json({"status": {"error": error.message}, "time": elapsed}, error.status)


def _runner(handler: Handler, pool: PoolKind) -> Callable[[Call], Any]:
    if inspect.iscoroutinefunction(handler):
        return handler

    async def in_thread(call: Call) -> Any:
        return await asyncio.get_running_loop().run_in_executor(_POOLS[pool], handler, call)

    return in_thread


def _path_params(request: Request, new_collection: bool) -> dict[str, str]:
    params = {name: unquote(value) for name, value in request.path_params.items()}
    if "collection_name" in params:
        check_collection_name(params["collection_name"], new=new_collection)
    return params


def _call(request: Request, params: dict[str, str], body: Any) -> Call:
    state = request.app.state
    return Call(state.registry, params, request.query_params, body, request, state.settings)


async def _read_body(request: Request, kind: BodyKind) -> Any:
    if kind == "none":
        return None
    raw = await _bounded(request, request.app.state.settings.max_request_bytes)
    if not raw:
        if kind == "optional":
            return None
        raise malformed_body("EOF while parsing a value at line 1 column 0")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise malformed_body(f"{error.msg} at line {error.lineno} column {error.colno}") from None


async def _bounded(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length")
    if length is not None and length.isdecimal() and int(length) > most:
        raise ApiError(400, f"JSON payload ({length} bytes) is larger than allowed (limit: {most} bytes).")
    chunks: list[bytes] = []
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > most:
            raise ApiError(400, f"JSON payload has exceeded limit ({most} bytes).")
        chunks.append(chunk)
    return b"".join(chunks)


def _success(result: Any, started: float) -> Response:
    if isinstance(result, Response):
        return result
    elapsed = time.perf_counter() - started
    if isinstance(result, Accepted):
        return _json({"status": "accepted", "time": elapsed}, 202)
    return _json({"result": result, "status": "ok", "time": elapsed}, 200)


def _json(content: Any, status: int) -> Response:
    # Qdrant's own payloads have string keys; a set of ids or a UUID is written as its text.
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json")
