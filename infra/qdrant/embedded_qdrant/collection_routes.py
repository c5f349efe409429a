"""/collections: create, list, info, exists, update, delete, and named vectors that come and go later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import qdrant_edge as edge

from .collection import Collection
from .collection_config import CollectionConfig, engine_dense_operation, engine_no_vectors_operation, engine_sparse_operation
from .collection_schema import config_to_create, config_to_update, named_vector, read_update
from .endpoint import Call, endpoint
from .errors import unprocessable, wrong_input
from .payload_index import shown_schema
from .validation import vector_name_error
from .query_params import check_timeout, read_wait

_COLLECTION = "/collections/{collection_name}"


def _list(call: Call) -> Any:
    return {"collections": [{"name": name} for name in call.registry.names()]}


def _create(call: Call) -> bool:
    config = config_to_create(call.body)
    check_timeout(call.query)
    call.registry.create(call.params["collection_name"], config)
    return True


def _update(call: Call) -> bool:
    read_update(call.body)
    check_timeout(call.query)
    _collection(call).reconfigure(lambda config: config_to_update(config, call.body))
    return True


def _info(call: Call) -> Any:
    collection = _collection(call)
    with collection.read() as shard:
        info = shard.info()
    indexed = {field: part.points for field, part in info.payload_schema.items()}
    return {
        "status": "yellow" if collection.is_recording() else "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": info.indexed_vectors_count,
        "points_count": info.points_count,
        "segments_count": info.segments_count,
        "config": collection.config.to_json(),
        "payload_schema": {field: shown_schema(schema, indexed.get(field, 0)) for field, schema in collection.payload_schema.items()},
        "update_queue": {"length": 0},
    }


def _exists(call: Call) -> Any:
    return {"exists": call.registry.real_name(call.params["collection_name"]) is not None}


def _delete(call: Call) -> bool:
    check_timeout(call.query)
    return call.registry.delete(call.params["collection_name"])


def _create_vector(call: Call) -> Any:
    name = _vector_name(call)
    kind, params = named_vector(call.body)
    wait = read_wait(call.query)
    collection = _collection(call)
    operation = engine_dense_operation(name, params) if kind == "dense" else engine_sparse_operation(name, params)
    with collection.write():
        config = _with_vector(collection.config, kind, name, params)
        # Twice, as in the real server, where the collection and its shard each log it.
        collection.apply(operation)
        number = collection.apply(operation)
        collection.set_config(config)
    return {"operation_id": number, "status": "completed" if wait else "acknowledged"}


def _delete_vector(call: Call) -> Any:
    name = _vector_name(call)
    wait = read_wait(call.query)
    collection = _collection(call)
    operation = edge.UpdateOperation.delete_vector_name(name)
    with collection.write():
        config = collection.config
        if name not in config.dense and name not in config.sparse:
            raise wrong_input(f"Not existing vector name error: {name}")
        left = replace(config, dense=_without(config.dense, name), sparse=_without(config.sparse, name))
        if not left.dense and not left.sparse:
            collection.apply(engine_no_vectors_operation(), 0)
        collection.apply(operation)
        number = collection.apply(operation)
        collection.set_config(left)
    return {"operation_id": number, "status": "completed" if wait else "acknowledged"}


def _with_vector(config: CollectionConfig, kind: str, name: str, params: dict[str, Any]) -> CollectionConfig:
    same, other = (config.dense, config.sparse) if kind == "dense" else (config.sparse, config.dense)
    if name in other:
        raise wrong_input(f"Vector `{name}` already exists as a {'sparse' if kind == 'dense' else 'dense'} vector")
    if name in same:
        if any(same[name].get(field) != params.get(field) for field in ("size", "distance", "multivector_config", "modifier")):
            raise wrong_input(f"{'Vector' if kind == 'dense' else 'Sparse vector'} `{name}` already exists with a different configuration")
        return config
    return replace(config, **{kind: dict(sorted({**same, name: params}.items()))})


def _without(vectors: dict[str, Any], name: str) -> dict[str, Any]:
    return {known: params for known, params in vectors.items() if known != name}


def _vector_name(call: Call) -> str:
    name = call.params["vector_name"]
    fault = vector_name_error(name)
    if fault is not None:
        raise unprocessable(f"Validation error in path parameters: [vector_name: {fault}]")
    return name


def _collection(call: Call) -> Collection:
    return call.registry.collection(call.params["collection_name"])


routes = [
    endpoint("GET", "/collections", _list, writes=False),
    endpoint("GET", _COLLECTION, _info, writes=False),
    endpoint("GET", _COLLECTION + "/exists", _exists, writes=False),
    endpoint("PUT", _COLLECTION, _create, writes=True, body="json", new_collection=True),
    endpoint("PATCH", _COLLECTION, _update, writes=True, body="json"),
    endpoint("DELETE", _COLLECTION, _delete, writes=True),
    endpoint("PUT", _COLLECTION + "/vectors/{vector_name}", _create_vector, writes=True, body="json"),
    endpoint("DELETE", _COLLECTION + "/vectors/{vector_name}", _delete_vector, writes=True),
]
