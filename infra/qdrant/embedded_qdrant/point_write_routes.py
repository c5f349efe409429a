"""Everything that changes points, and the indexes over their payload."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import qdrant_edge as edge

from .collection import Collection
from .endpoint import Call, endpoint
from .errors import ApiError, bad_request
from .filter_scope import filter_scope, scope_of
from .json_values import field_path
from .payload_index import engine_schema, read_index_request
from .shard_key import refuse_write_shard_key
from .query_params import read_wait
from .write_requests import (
    read_batch,
    read_clear_payload,
    read_delete,
    read_delete_payload,
    read_delete_vectors,
    read_overwrite_payload,
    read_set_payload,
    read_update_vectors,
    read_upsert,
)
from .writes import Write, run_write

_POINTS = "/collections/{collection_name}/points"
_INDEX = "/collections/{collection_name}/index"


def _writing(read: Callable[[Any], Write]) -> Callable[[Call], Any]:
    def handler(call: Call) -> Any:
        with _filters(call):
            write = read(call.body)
        wait = read_wait(call.query)
        collection = _collection(call)
        refuse_write_shard_key(call.body)
        return run_write(collection, write, wait=wait)

    return handler


def _batch(call: Call) -> Any:
    with _filters(call):
        operations = read_batch(call.body)
    wait = read_wait(call.query)
    collection = _collection(call)
    for operation in call.body["operations"]:
        for content in operation.values():
            refuse_write_shard_key(content)
    return [run_write(collection, operation, wait=wait) for operation in operations]


def _create_index(call: Call) -> Any:
    field, schema = read_index_request(call.body)
    return _change_index(call, field, schema, edge.UpdateOperation.create_field_index(field, engine_schema(schema)))


def _delete_index(call: Call) -> Any:
    try:
        field = field_path(call.params["field_name"])
    except ApiError:
        raise bad_request(f"Deserialize error in path parameters: Invalid json path: '{call.params['field_name']}'") from None
    return _change_index(call, field, None, edge.UpdateOperation.delete_field_index(field))


def _change_index(call: Call, field: str, schema: Any, operation: edge.UpdateOperation) -> Any:
    wait = read_wait(call.query)
    collection = _collection(call)
    with collection.write():
        # Twice, as in the real server, where the collection and its shard each log it.
        collection.apply(operation)
        number = collection.apply(operation)
        collection.set_index(field, schema)
    return {"operation_id": number, "status": "completed" if wait else "acknowledged"}


def _filters(call: Call) -> AbstractContextManager[None]:
    return filter_scope(scope_of(call.registry, call.params["collection_name"]))


def _collection(call: Call) -> Collection:
    call.registry.disk.require_room()
    return call.registry.collection(call.params["collection_name"])


def _route(method: str, path: str, read: Callable[[Any], Write]) -> Any:
    return endpoint(method, _POINTS + path, _writing(read), writes=True, body="json")


routes = [
    _route("PUT", "", read_upsert),
    _route("POST", "/delete", read_delete),
    _route("PUT", "/vectors", read_update_vectors),
    _route("POST", "/vectors/delete", read_delete_vectors),
    _route("POST", "/payload", read_set_payload),
    _route("PUT", "/payload", read_overwrite_payload),
    _route("POST", "/payload/delete", read_delete_payload),
    _route("POST", "/payload/clear", read_clear_payload),
    endpoint("POST", _POINTS + "/batch", _batch, writes=True, body="json"),
    endpoint("PUT", _INDEX, _create_index, writes=True, body="json"),
    endpoint("DELETE", _INDEX + "/{field_name}", _delete_index, writes=True),
]
