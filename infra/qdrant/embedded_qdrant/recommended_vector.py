"""The vector that the recommend strategy `average_vector` searches by; in the 32-bit arithmetic of the real server."""

from __future__ import annotations

import numpy
import qdrant_edge as edge

from .answers import f32
from .errors import wrong_input
from .query_vectors import RawVector


def average_vector(positive: list[RawVector], negative: list[RawVector]) -> RawVector:
    """2 · mean(positive) − mean(negative); without negatives mean(positive). Raises 400 without positives."""
    if not positive:
        raise wrong_input("Positive vectors should not be empty with `average` strategy")
    if isinstance(positive[0], edge.SparseVector):
        return _sparse_average(positive, negative)
    if type(positive[0][0]) is list:
        turned = [[-value for value in row] for vector in negative for row in vector]
        return [row for vector in positive for row in vector] + turned
    liked = _mean(positive)
    return (liked if not negative else liked + liked - _mean(negative)).tolist()


def _mean(vectors: list[list[float]]) -> numpy.ndarray:
    total = numpy.zeros(len(vectors[0]), dtype=f32)
    for vector in vectors:
        total += numpy.asarray(vector, dtype=f32)
    return total / f32(len(vectors))


def _sparse_average(positive: list[edge.SparseVector], negative: list[edge.SparseVector]) -> edge.SparseVector:
    weights = _sparse_mean(positive)
    if negative:
        weights = {index: weight + weight for index, weight in weights.items()}
        for index, weight in _sparse_mean(negative).items():
            weights[index] = weights.get(index, f32(0)) - weight
    indices = sorted(weights)
    return edge.SparseVector(indices, [float(weights[index]) for index in indices])


def _sparse_mean(vectors: list[edge.SparseVector]) -> dict[int, numpy.float32]:
    total: dict[int, numpy.float32] = {}
    for vector in vectors:
        for index, value in zip(vector.indices, vector.values):
            total[index] = total.get(index, f32(0)) + f32(value)
    return {index: value / f32(len(vectors)) for index, value in total.items()}
