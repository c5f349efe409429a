"""What the server says of itself."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .endpoint import Call, endpoint

TITLE = "qdrant - vector search engine"
# The server whose behaviour this one follows: clients compare it with their own version.
FOLLOWED_VERSION = "1.18.3"
# As long as a commit's hash, because clients' tests count its characters.
_COMMIT = "embedded".ljust(40, "0")
_STARTED = time.gmtime()


async def _root(_: Request) -> Response:
    return JSONResponse({"title": TITLE, "version": FOLLOWED_VERSION, "commit": _COMMIT})


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("healthz check passed")


async def _ready(_: Request) -> Response:
    return PlainTextResponse("all shards are ready")


def _telemetry(call: Call) -> Any:
    return {
        "id": "embedded",
        "app": {"name": "qdrant", "version": FOLLOWED_VERSION, "startup": time.strftime("%Y-%m-%dT%H:%M:%SZ", _STARTED)},
        "collections": {"number_of_collections": len(call.registry.names())},
    }


def _metrics(call: Call) -> Response:
    collections = call.registry.collections()
    lines = [
        "# HELP app_info information about qdrant server",
        "# TYPE app_info gauge",
        f'app_info{{name="qdrant",version="{FOLLOWED_VERSION}"}} 1',
        "# HELP collections_total number of collections",
        "# TYPE collections_total gauge",
        f"collections_total {len(collections)}",
    ]
    return PlainTextResponse("\n".join(lines) + "\n")


def _cluster(_: Call) -> Any:
    return {"status": "disabled"}


def _collection_cluster(call: Call) -> Any:
    collection = call.registry.collection(call.params["collection_name"])
    with collection.read() as shard:
        points = shard.info().points_count
    local = {"shard_id": 0, "points_count": points, "state": "Active"}
    return {"peer_id": 0, "shard_count": 1, "local_shards": [local], "remote_shards": [], "shard_transfers": []}


def _shard_keys(call: Call) -> Any:
    call.registry.collection(call.params["collection_name"])
    return {}


def _issues(_: Call) -> Any:
    return {"issues": []}


def _clear_issues(_: Call) -> bool:
    return True


def _bare(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
    route = Route(path, answer, methods=["GET"])
    # Starlette adds HEAD to GET; the real server knows no HEAD.
    route.methods = {"GET"}
    return route


routes = [
    _bare("/", _root),
    _bare("/healthz", _healthy),
    _bare("/livez", _healthy),
    _bare("/readyz", _ready),
    endpoint("GET", "/telemetry", _telemetry, writes=False),
    endpoint("GET", "/metrics", _metrics, writes=False),
    endpoint("GET", "/cluster", _cluster, writes=False),
    endpoint("GET", "/collections/{collection_name}/cluster", _collection_cluster, writes=False),
    endpoint("GET", "/collections/{collection_name}/shards", _shard_keys, writes=False),
    endpoint("GET", "/issues", _issues, writes=False),
    endpoint("DELETE", "/issues", _clear_issues, writes=True),
]
