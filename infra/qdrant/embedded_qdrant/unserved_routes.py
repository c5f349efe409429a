"""Routes of the real server without an answer here: a client is to learn which feature is missing, not that a path is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .endpoint import Call, endpoint
from .errors import not_served

_COLLECTION = "/collections/{collection_name}"
_SHARD = _COLLECTION + "/shards/{shard}"

_ROUTES = {
    "a cluster": [
        ("POST", _COLLECTION + "/cluster"),
        ("POST", "/cluster/recover"),
        ("DELETE", "/cluster/peer/{peer_id}"),
        ("GET", "/cluster/telemetry"),
        ("GET", "/cluster/metadata/keys"),
        ("GET", "/cluster/metadata/keys/{key}"),
        ("PUT", "/cluster/metadata/keys/{key}"),
        ("DELETE", "/cluster/metadata/keys/{key}"),
    ],
    "sharding": [
        ("PUT", _COLLECTION + "/shards"),
        ("POST", _COLLECTION + "/shards/delete"),
        ("GET", _SHARD + "/recovery_point"),
        ("GET", _SHARD + "/wal"),
        ("POST", _SHARD + "/cleanup"),
        ("POST", _SHARD + "/points"),
        ("POST", _SHARD + "/points/count"),
        ("POST", _SHARD + "/points/scroll"),
        ("GET", _SHARD + "/snapshot/partial/manifest"),
        ("POST", _SHARD + "/snapshot/partial/create"),
        ("POST", _SHARD + "/snapshot/partial/recover"),
        ("POST", _SHARD + "/snapshot/partial/recover_from"),
    ],
    "inspection of a collection's inside": [
        ("GET", _COLLECTION + "/memory"),
        ("GET", _COLLECTION + "/optimizations"),
        ("POST", _COLLECTION + "/debug"),
        ("POST", _COLLECTION + "/truncate_unapplied_wal"),
    ],
    "debugging of the server": [
        ("GET", "/logger"),
        ("POST", "/logger"),
        ("GET", "/debugger"),
        ("PATCH", "/debugger"),
        ("GET", "/stacktrace"),
        ("GET", "/profiler/slow_requests"),
        ("POST", "/audit/logs"),
    ],
}


def _refusing(feature: str) -> Callable[[Call], Any]:
    def refuse(_: Call) -> Any:
        raise not_served(feature)

    return refuse


routes = [
    endpoint(method, path, _refusing(feature), writes=method != "GET") for feature, group in _ROUTES.items() for method, path in group
]
