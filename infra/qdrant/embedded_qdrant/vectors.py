"""Vectors in write requests. All that the engine would trip over later is refused here: it logs an operation before it looks at it."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .collection_config import CollectionConfig
from .errors import ApiError, invalid_body, not_served, wrong_input
from .json_structs import no_variant
from .validation import plain_code

# Dense, multi-dense (a list of dense ones), or the engine's sparse vector.
AnyVector = list[float] | list[list[float]] | edge.SparseVector
# One unnamed vector, or vectors by name.
PointVectors = list[float] | list[list[float]] | dict[str, AnyVector]

_NUMBERS = frozenset({int, float})
_MOST_U32 = 2**32 - 1
_MOST_MULTI_NUMBERS = 1024 * 1024


class Mismatch(Exception):
    """The JSON is no vector of any form; whoever knows the field's type says so."""


def read_point_vectors(given: Any, path: str) -> PointVectors:
    """The `vector` field of a point. `path` is its place in the body, for errors. Raises 400, 422, or 501 for something to embed."""
    try:
        if type(given) is list:
            return _checked_list(given, f"{path}.")
        if type(given) is dict:
            return _read_named(given, f"{path}.?.")
    except Mismatch:
        pass
    raise no_variant("VectorStruct")


def read_batch_vectors(given: Any, count: int, path: str) -> list[PointVectors]:
    """The `vectors` of a batch of `count` points, one entry for each. `path` is the batch's place. Raises as `read_point_vectors`."""
    try:
        if type(given) is list:
            _refuse_inference(given[0] if given else None)
            found = [_require_list(entry) for entry in given]
            _require_count(count, len(found), path)
            return [_checked_list(entry, f"{path}.") for entry in found]
        if type(given) is dict:
            return _transposed(given, count, path)
    except Mismatch:
        pass
    raise no_variant("BatchVectorStruct")


def is_empty(vectors: PointVectors) -> bool:
    if type(vectors) is dict:
        return all(_is_empty_one(vector) for vector in vectors.values())
    return not vectors


def check_dimensions(vectors: PointVectors, config: CollectionConfig) -> None:
    """Raises 400. Names that the collection does not have are left to `misfit`."""
    if type(vectors) is not dict:
        params = config.dense.get("")
        if params is not None:
            _check_size(vectors, params["size"], "")
        return
    for name, vector in vectors.items():
        params = config.dense.get(name)
        if params is not None and type(vector) is list:
            _check_size(vector, params["size"], f" for vector '{name}'")


def misfit(vectors: PointVectors, config: CollectionConfig) -> ApiError | None:
    """What the real server finds only when it applies the write: unknown names, and kinds that do not fit."""
    named: dict[str, Any] = vectors if isinstance(vectors, dict) else {"": vectors}
    for name, vector in named.items():
        params = config.dense.get(name)
        if params is None and name not in config.sparse:
            return wrong_input(f"Not existing vector name error: {name}")
        if (params is None) != (type(vector) is edge.SparseVector):
            return wrong_input("Conversion between sparse and regular vectors failed")
        if params is not None and type(vector[0]) is list and not params.get("multivector_config"):
            return wrong_input("Conversion between multi and regular vectors failed")
    return None


def _require_list(given: Any) -> list[Any]:
    if type(given) is not list:
        raise Mismatch
    return given


def _require_count(ids: int, vectors: int, path: str) -> None:
    if ids != vectors:
        raise invalid_body(f"{path}.batch", f"number of ids and vectors must be equal ({ids} != {vectors})")


def _checked_list(given: list[Any], path: str) -> list[float] | list[list[float]]:
    """A dense vector or a multi-vector."""
    if not given:
        raise invalid_body(f"{path}vector", "dense vector must not be empty")
    if type(given[0]) is not list:
        if not _NUMBERS.issuperset(map(type, given)):
            raise Mismatch
        return given
    for part in given:
        if type(part) is not list or not _NUMBERS.issuperset(map(type, part)):
            raise Mismatch
    _check_multi(given, f"{path}data")
    return given


def _check_multi(parts: list[list[float]], path: str) -> None:
    lengths = [len(part) for part in parts]
    if 0 in lengths:
        raise invalid_body(path, "all vectors must be non-empty")
    if sum(lengths) >= _MOST_MULTI_NUMBERS:
        raise invalid_body(path, f"Total size of all vectors ({sum(lengths)}) must be less than {_MOST_MULTI_NUMBERS}")
    odd = next((length for length in lengths if length != lengths[0]), None)
    if odd is not None:
        raise invalid_body(path, f"all vectors must have the same dimension, found vector with dimension {odd}")


def _read_named(given: dict[str, Any], path: str) -> dict[str, AnyVector]:
    found: dict[str, AnyVector] = {}
    for name, vector in given.items():
        if type(vector) is list:
            found[name] = _checked_list(vector, path)
        elif type(vector) is dict:
            found[name] = _read_sparse(vector, path)
        else:
            _refuse_inference(given)
            raise Mismatch
    return found


def _read_sparse(given: dict[str, Any], path: str) -> edge.SparseVector:
    indices, values = given.get("indices"), given.get("values")
    if type(indices) is not list or type(values) is not list:
        _refuse_inference(given)
        raise Mismatch
    if any(type(index) is not int or not 0 <= index <= _MOST_U32 for index in indices) or not _NUMBERS.issuperset(map(type, values)):
        raise Mismatch
    if len(indices) != len(values):
        raise invalid_body(f"{path}values", plain_code("must be the same length as indices"))
    if len(set(indices)) != len(indices):
        raise invalid_body(f"{path}indices", plain_code("must be unique"))
    return edge.SparseVector(indices, values)


def _refuse_inference(given: Any) -> None:
    """What the real server would embed by a model."""
    if type(given) is dict and "model" in given and ("text" in given or "image" in given or "object" in given):
        raise not_served("inference (a document, image or object instead of a vector)")


def _transposed(given: dict[str, Any], count: int, path: str) -> list[PointVectors]:
    by_name = {name: [_read_named({"": entry}, f"{path}.?.")[""] for entry in _require_list(entries)] for name, entries in given.items()}
    for entries in by_name.values():
        _require_count(count, len(entries), path)
    return [{name: entries[place] for name, entries in by_name.items()} for place in range(count)]


def _is_empty_one(vector: AnyVector) -> bool:
    return not (vector.indices if isinstance(vector, edge.SparseVector) else vector)


def _check_size(vector: Any, size: int, suffix: str) -> None:
    parts = vector if type(vector[0]) is list else (vector,)
    for part in parts:
        if len(part) != size:
            raise wrong_input(f"Vector dimension error: expected dim: {size}, got {len(part)}{suffix}")
