"""Vectors in queries: given as they are, or by the id of a point that has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import qdrant_edge as edge

from .collection_config import CollectionConfig
from .errors import ApiError, invalid_body, malformed_body, not_served, wrong_input
from .ids import PointId, parse_id
from .json_values import numbers, required, unsigned

# What the engine scores by: a list of numbers, a list of such lists, or its SparseVector.
RawVector = Any

_INFERENCE_FIELDS = ("text", "image", "object")


@dataclass(frozen=True, slots=True)
class VectorOf:
    """The vector of a point, to be looked up."""

    id: PointId


VectorInput = Any  # VectorOf | RawVector


def vector_input(given: object) -> VectorInput:
    """Raises 400 for no form of vector or id, 422 for a sparse or multi-vector that does not add up, 501 for what needs inference."""
    if type(given) is list:
        return _multi_vector(given) if given and type(given[0]) is list else numbers(given)
    if type(given) is not dict:
        return VectorOf(parse_id(given))
    if "indices" in given and "values" in given:
        return sparse_vector(given)
    if "model" in given and any(field in given for field in _INFERENCE_FIELDS):
        raise not_served("inference (documents, images and objects instead of vectors)")
    raise malformed_body("data did not match any variant of untagged enum VectorInput")


def sparse_vector(given: dict[str, Any]) -> edge.SparseVector:
    """Raises 422 if indices repeat or there are not as many values."""
    values = numbers(required(given, "values"))
    indices = required(given, "indices")
    if type(indices) is not list or not all(unsigned(index) < 2**32 for index in indices):
        raise malformed_body("invalid value in `indices`, expected u32")
    if len(indices) != len(values):
        raise invalid_body("query.values", "Validation error: must be the same length as indices [{}]")
    if len(set(indices)) != len(indices):
        raise invalid_body("query.indices", "Validation error: must be unique [{}]")
    pairs = sorted(zip(indices, values))
    return edge.SparseVector([index for index, _ in pairs], [value for _, value in pairs])


def check_vector(config: CollectionConfig, name: str, vector: RawVector) -> None:
    """Raises 400 unless the collection's vector of that name can be compared with it."""
    if name in config.sparse:
        if not isinstance(vector, edge.SparseVector):
            raise _sparse_mix_up()
        return
    params = config.dense.get(name)
    if params is None:
        raise wrong_input(f"Not existing vector name error: {name}")
    if isinstance(vector, edge.SparseVector):
        raise _sparse_mix_up()
    rows = vector if vector and type(vector[0]) is list else [vector]
    if rows is vector and not params.get("multivector_config"):
        raise wrong_input("Conversion between multi and regular vectors failed")
    for row in rows:
        if len(row) != params["size"]:
            raise wrong_input(f"Vector dimension error: expected dim: {params['size']}, got {len(row)}")


def _multi_vector(given: list[Any]) -> list[list[float]]:
    rows = [numbers(row) for row in given]
    if not all(rows):
        raise invalid_body("query.data", "all vectors must be non-empty")
    odd = next((row for row in rows if len(row) != len(rows[0])), None)
    if odd is not None:
        raise invalid_body("query.data", f"all vectors must have the same dimension, found vector with dimension {len(odd)}")
    return rows


def _sparse_mix_up() -> ApiError:
    return wrong_input("Conversion between sparse and regular vectors failed")
