"""Everything that reads points. A malformed body is said before a missing collection, as the real server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .collection import Collection
from .endpoint import Call, endpoint
from .engine_errors import ShardClosed
from .errors import not_served
from .facet import FacetRequest
from .filter_scope import FilterScope, filter_scope, scope_of
from .json_values import bounded_depth, mapping, required, sequence
from .older_requests import parse_discover, parse_recommend, parse_search
from .query import run_queries
from .query_request import QueryRequest, parse_query
from .reads import CountRequest, RetrieveRequest, ScrollRequest, get_point, point_id_in_path
from .shard_key import refuse_read_shard_key
from .query_params import malformed_query, single, whole

POINTS = "/collections/{collection_name}/points"
_CONSISTENCIES = ("", "all", "majority", "quorum")


ParseQuery = Callable[[object, str], QueryRequest]


class _Read(Protocol):
    def run(self, collection: Collection) -> Any: ...


def _get(call: Call) -> Any:
    return _reading(call, lambda collection: get_point(collection, point_id_in_path(call.params["id"])), [])


def _by(parse: Callable[[object], _Read]) -> Callable[[Call], Any]:
    def handler(call: Call) -> Any:
        with filter_scope(_scope(call)):
            read = parse(call.body)
        return _reading(call, read.run, [call.body])

    return handler


def _query(call: Call) -> Any:
    return {"points": _one(call, parse_query, "internal")}


def _query_batch(call: Call) -> Any:
    return [{"points": points} for points in _batch(call, parse_query, "internal")]


def _older(parse: ParseQuery, name: str) -> list[Any]:
    """The route of search, recommend or discover, and that of its batch."""
    path = f"{POINTS}/{name}"
    return [
        _post(path, lambda call: _one(call, parse, f"{name}_request")),
        _post(f"{path}/batch", lambda call: _batch(call, parse, f"{name}_request")),
    ]


def _one(call: Call, parse: ParseQuery, path: str) -> list[dict[str, Any]]:
    with bounded_depth(), filter_scope(_scope(call)):
        request = parse(call.body, path)
    return _scored(call, [request], [call.body])[0]


def _batch(call: Call, parse: ParseQuery, path: str) -> list[list[dict[str, Any]]]:
    bodies = sequence(required(mapping(call.body, "struct RequestBatch"), "searches"))
    with bounded_depth(), filter_scope(_scope(call)):
        requests = [parse(body, f"searches[{at}].{path}") for at, body in enumerate(bodies)]
    return _scored(call, requests, bodies)


def _scored(call: Call, requests: list[QueryRequest], bodies: list[Any]) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = _reading(call, lambda collection: run_queries(call.registry, collection, requests), bodies)
    return found


def _reading(call: Call, read: Callable[[Collection], Any], bodies: list[Any]) -> Any:
    """What `read` makes of the collection. One that is replaced just then is looked up again."""
    collection = _collection(call)
    for body in bodies:
        refuse_read_shard_key(body)
    try:
        return read(collection)
    except ShardClosed:
        return read(_collection(call))


def _collection(call: Call) -> Collection:
    _check_read_parameters(call)
    return call.registry.collection(call.params["collection_name"])


def _scope(call: Call) -> FilterScope:
    return scope_of(call.registry, call.params["collection_name"])


def _check_read_parameters(call: Call) -> None:
    """`timeout` and `consistency` have nothing to do here, but are checked. Raises 400."""
    if whole(single(call.query, "timeout", "60")) == 0:
        raise malformed_query("invalid value: integer `0`, expected a nonzero u64")
    consistency = single(call.query, "consistency", "")
    if consistency not in _CONSISTENCIES and not (consistency.isdecimal() and int(consistency) > 0):
        raise malformed_query(f"failed to deserialize read consistency query parameter value '{consistency}'")


def _absent(feature: str) -> Callable[[Call], Any]:
    def refuse(call: Call) -> Any:
        _collection(call)
        raise not_served(feature)

    return refuse


def _post(path: str, handler: Callable[[Call], Any]) -> Any:
    return endpoint("POST", path, handler, writes=False, body="json")


routes = [
    endpoint("GET", POINTS + "/{id}", _get, writes=False),
    _post(POINTS, _by(RetrieveRequest)),
    _post(POINTS + "/scroll", _by(ScrollRequest)),
    _post(POINTS + "/count", _by(CountRequest)),
    _post("/collections/{collection_name}/facet", _by(FacetRequest)),
    _post(POINTS + "/query", _query),
    _post(POINTS + "/query/batch", _query_batch),
    *_older(parse_search, "search"),
    *_older(parse_recommend, "recommend"),
    *_older(parse_discover, "discover"),
    _post(POINTS + "/query/groups", _absent("groups (query/groups)")),
    _post(POINTS + "/search/groups", _absent("groups (search/groups)")),
    _post(POINTS + "/recommend/groups", _absent("groups (recommend/groups)")),
    _post(POINTS + "/search/matrix/pairs", _absent("distance matrix (search/matrix/pairs)")),
    _post(POINTS + "/search/matrix/offsets", _absent("distance matrix (search/matrix/offsets)")),
]
