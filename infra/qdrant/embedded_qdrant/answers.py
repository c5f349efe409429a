"""Points as answers hold them. Numbers of 32 bits stay such, so that they are written in their shortest form: 0.1, not 0.10000000149."""

from __future__ import annotations

from typing import Any

import numpy
import qdrant_edge as edge

from .ids import shown_id

f32 = numpy.float32


def shown_vectors(vector: Any) -> Any:
    """A dense vector, a multi-vector, or `{name: dense, multi or {indices, values}}`."""
    if type(vector) is dict:
        return {name: _shown_vector(named) for name, named in vector.items()}
    return _shown_vector(vector)


def record_answer(record: Any) -> dict[str, Any]:
    """`{id, payload?, vector?, order_value?}`"""
    answer: dict[str, Any] = {"id": shown_id(record.id)}
    return _with_contents(answer, record, record.order_value)


def scored_answer(point: Any, contents: Any | None) -> dict[str, Any]:
    """`{id, version, score, payload?, vector?, order_value?}`. `contents` is the record with the point's payload and vectors."""
    answer: dict[str, Any] = {"id": shown_id(point.id), "version": point.version, "score": f32(point.score)}
    if contents is not None:
        return _with_contents(answer, contents, point.order_value)
    if point.order_value is not None:
        answer["order_value"] = point.order_value
    return answer


def _with_contents(answer: dict[str, Any], record: Any, order_value: Any) -> dict[str, Any]:
    if record.payload is not None:
        answer["payload"] = record.payload
    if record.vector is not None:
        answer["vector"] = shown_vectors(record.vector)
    if order_value is not None:
        answer["order_value"] = order_value
    return answer


def _shown_vector(vector: Any) -> Any:
    if isinstance(vector, edge.SparseVector):
        return {"indices": vector.indices, "values": numpy.asarray(vector.values, dtype=f32)}
    return numpy.asarray(vector, dtype=f32)
