"""
Ranked lists made into one, as the real server does it and with its 32-bit arithmetic, but with ties in a stable order:
the better score first, then the lower id.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy

from .errors import wrong_input
from .ids import PointId

f32 = numpy.float32


@dataclass(slots=True)
class FusedPoint:
    """Has what the engine's ScoredPoint has, without payload and vectors."""

    id: PointId
    version: int
    score: float
    order_value: Any


def id_order(point_id: PointId) -> tuple[int, int]:
    """Numbers come before UUIDs."""
    return (0, point_id) if type(point_id) is int else (1, point_id.int)  # type: ignore[union-attr]


def reciprocal_rank_fusion(sources: list[list[Any]], k: int, weights: list[float] | None) -> list[FusedPoint]:
    """The sum over the sources of 1 / ((rank + 1) / weight + k − 1), rank from 0. Raises 400 unless there is a weight for each source."""
    if weights is not None and len(weights) != len(sources):
        raise wrong_input(
            f"Validation failed: RRF weights length ({len(weights)}) does not match number of prefetches ({len(sources)})"
        )
    scores = [_rank_scores(len(source), k, 1.0 if weights is None else weights[at]) for at, source in enumerate(sources)]
    fused = _summed(zip(sources, scores))
    return sorted(fused, key=lambda point: (-point.score, id_order(point.id)))


def distribution_based_fusion(sources: list[list[Any]]) -> list[FusedPoint]:
    """The sum of scores, each list's stretched so that three deviations either side of its mean become 0 and 1."""
    fused = _summed((source, _normalised([point.score for point in source])) for source in sources)
    fused.sort(key=lambda point: id_order(point.id))
    fused.sort(key=_by_order_value_or_score, reverse=True)
    return fused


def in_stable_order(points: list[Any]) -> list[Any]:
    """Already ranked points, those of equal score by id."""
    scores = [point.score for point in points]
    if len(set(scores)) == len(scores):
        return points
    rank: dict[float, int] = {}
    for score in scores:
        rank.setdefault(score, len(rank))
    return sorted(points, key=lambda point: (rank[point.score], id_order(point.id)))


@lru_cache(maxsize=256)
def _rank_scores(count: int, k: int, weight: float) -> tuple[float, ...]:
    if weight <= 0.0:
        return (0.0,) * count
    ranks = numpy.arange(1, count + 1, dtype=f32)
    return tuple((f32(1) / (ranks / f32(weight) + f32(k) - f32(1))).tolist())


def _summed(scored_sources: Any) -> list[FusedPoint]:
    found: dict[PointId, FusedPoint] = {}
    for source, scores in scored_sources:
        for point, score in zip(source, scores):
            known = found.get(point.id)
            if known is None:
                found[point.id] = FusedPoint(point.id, point.version, score, point.order_value)
            else:
                known.score = float(f32(known.score + score))
    return list(found.values())


def _normalised(scores: list[float]) -> list[float]:
    if len(scores) < 2:
        return [0.5] * len(scores)
    mean, variance = _mean_and_variance(scores)
    deviation = numpy.sqrt(variance)
    least, most = mean - f32(3) * deviation, mean + f32(3) * deviation
    if least == most:
        return [0.5] * len(scores)
    return ((numpy.asarray(scores, dtype=f32) - least) / (most - least)).tolist()


def _mean_and_variance(scores: list[float]) -> tuple[numpy.float32, numpy.float32]:
    # Welford's way, one value after another: another way would round differently.
    mean, aggregate = f32(0), f32(0)
    for count, score in enumerate(scores, start=1):
        before = f32(score) - mean
        mean = mean + before / f32(count)
        aggregate = aggregate + before * (f32(score) - mean)
    return mean, aggregate / (f32(len(scores)) - f32(1))


def _by_order_value_or_score(point: FusedPoint) -> tuple[bool, float]:
    return (False, point.score) if point.order_value is None else (True, point.order_value)
