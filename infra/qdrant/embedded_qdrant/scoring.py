"""The kinds of `query`: what each needs, and the engine's object for it once the vectors of points are looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import qdrant_edge as edge

from .errors import ApiError, invalid_body, malformed_body, not_served
from .formula import parse_formula
from .json_values import at_least_one, mapping, number, numbers, one_or_many, optional, required, sequence, unsigned
from .order_by import parse_order_by
from .query_vectors import RawVector, VectorInput, vector_input
from .recommended_vector import average_vector

DEFAULT_RRF_K = 2
_DEFAULT_MMR_LAMBDA = 0.5
_MOST_MMR_CANDIDATES = 16_384
_NOT_A_QUERY = "Expected some form of vector, id, or a type of query"


@dataclass(frozen=True, slots=True)
class VectorScoring:
    """Scores by vectors. `build(vectors, using, limit)` is given those of `inputs`, in their order."""

    inputs: list[VectorInput]
    build: Callable[[list[RawVector], str, int], Any]
    # Whether equal scores mean equal rank: not so where the order itself was chosen.
    ranked_by_score: bool = True
    # Recommend leaves out examples that lack the vector; others cannot do without.
    skips_missing: bool = False


@dataclass(frozen=True, slots=True)
class FusionScoring:
    method: Literal["rrf", "dbsf"]
    k: int = DEFAULT_RRF_K
    weights: list[float] | None = None


@dataclass(frozen=True, slots=True)
class EngineScoring:
    """What the engine can be given as it is: an OrderBy, a Formula, Sample.Random."""

    engine: Any


Scoring = VectorScoring | FusionScoring | EngineScoring


def parse_scoring(given: object, path: str) -> Scoring:
    """Raises 400 if it is no form of query, 422 for values out of range (`path` names the field), 501 for what needs inference."""
    try:
        kind = next((name for name in _KINDS if name in given), None) if type(given) is dict else None
        if kind is None:
            return nearest_scoring(vector_input(given))
        return _KINDS[kind](given, path)  # type: ignore[arg-type]
    except ApiError as error:
        raise (error if error.status != 400 else malformed_body(_NOT_A_QUERY)) from None


def _nearest(given: dict[str, Any], path: str) -> Scoring:
    target = vector_input(given["nearest"])
    mmr = optional(given, "mmr", mapping)
    return nearest_scoring(target) if mmr is None else _mmr(target, mmr, f"{path}.mmr")


def nearest_scoring(target: VectorInput) -> VectorScoring:
    return VectorScoring([target], lambda vectors, using, _: edge.Query.Nearest(vectors[0], using))


def _mmr(target: VectorInput, fields: dict[str, Any], path: str) -> VectorScoring:
    diversity = optional(fields, "diversity", number)
    if diversity is not None and not 0.0 <= diversity <= 1.0:
        raise invalid_body(f"{path}.diversity", f"value {diversity} invalid, must be from 0.0 to 1.0")
    candidates = optional(fields, "candidates_limit", unsigned)
    if candidates is not None and candidates > _MOST_MMR_CANDIDATES:
        raise invalid_body(f"{path}.candidates_limit", f"value {candidates} invalid, must be {_MOST_MMR_CANDIDATES} or smaller")
    share = _DEFAULT_MMR_LAMBDA if diversity is None else 1.0 - diversity

    def build(vectors: list[RawVector], using: str, limit: int) -> edge.Mmr:
        if isinstance(vectors[0], edge.SparseVector):
            raise not_served("mmr over sparse vectors")
        return edge.Mmr(vectors[0], share, limit if candidates is None else candidates, using)

    return VectorScoring([target], build, ranked_by_score=False)


def _recommend(given: dict[str, Any], path: str) -> VectorScoring:
    fields = mapping(given["recommend"])
    return recommend_scoring(optional(fields, "positive", sequence) or [], optional(fields, "negative", sequence) or [], fields.get("strategy"), path)


def recommend_scoring(positive: list[Any], negative: list[Any], strategy: object, path: str) -> VectorScoring:
    if strategy not in (None, "average_vector", "best_score", "sum_scores"):
        raise malformed_body("unknown variant of RecommendStrategy")
    if not positive and not negative:
        raise invalid_body(f"{path}.recommend", "Validation error: At least one positive or negative vector/id must be provided [{}]")
    liked = [vector_input(example) for example in positive]
    disliked = [vector_input(example) for example in negative]

    def build(vectors: list[RawVector], using: str, _: int) -> Any:
        likes = [vector for vector in vectors[: len(liked)] if vector is not None]
        dislikes = [vector for vector in vectors[len(liked) :] if vector is not None]
        if strategy in (None, "average_vector"):
            return edge.Query.Nearest(average_vector(likes, dislikes), using)
        recommend = edge.RecommendQuery(likes, dislikes)
        return (edge.Query.RecommendBestScore if strategy == "best_score" else edge.Query.RecommendSumScores)(recommend, using)

    return VectorScoring(liked + disliked, build, skips_missing=True)


def _discover(given: dict[str, Any], _: str) -> VectorScoring:
    fields = mapping(given["discover"])
    target = vector_input(required(fields, "target"))
    return discover_scoring(target, one_or_many(required(fields, "context")))


def discover_scoring(target: VectorInput, context: list[Any] | None) -> VectorScoring:
    def build(vectors: list[RawVector], using: str, _: int) -> Any:
        return edge.Query.Discover(edge.DiscoverQuery(vectors[0], _engine_pairs(vectors[1:])), using)

    return VectorScoring([target, *_pairs(context)], build)


def _context(given: dict[str, Any], _: str) -> VectorScoring:
    return context_scoring(one_or_many(given["context"]))


def context_scoring(context: list[Any] | None) -> VectorScoring:
    return VectorScoring(_pairs(context), lambda vectors, using, _: edge.Query.Context(edge.ContextQuery(_engine_pairs(vectors)), using))


def _pairs(given: list[Any] | None) -> list[VectorInput]:
    pairs = [mapping(pair) for pair in given or []]
    return [vector_input(required(pair, side)) for pair in pairs for side in ("positive", "negative")]


def _engine_pairs(vectors: list[RawVector]) -> list[edge.ContextPair]:
    return [edge.ContextPair(positive, negative) for positive, negative in zip(vectors[::2], vectors[1::2])]


def _relevance_feedback(given: dict[str, Any], path: str) -> VectorScoring:
    fields = mapping(given["relevance_feedback"])
    items = [mapping(item) for item in sequence(required(fields, "feedback"))]
    if not items:
        raise invalid_body(f"{path}.relevance_feedback.__all__", "feedback elements must be non-empty")
    naive = mapping(required(mapping(required(fields, "strategy")), "naive"))
    a, b, c = (number(required(naive, name)) for name in "abc")
    if b < 0.0:
        raise invalid_body(f"{path}.relevance_feedback.strategy.naive.b", f"value {b} invalid, must be 0.0 or larger")
    scores = [number(required(item, "score")) for item in items]

    def build(vectors: list[RawVector], using: str, _: int) -> Any:
        feedback = [edge.FeedbackItem(vector, score) for vector, score in zip(vectors[1:], scores)]
        return edge.Query.FeedbackNaive(edge.FeedbackNaiveQuery(vectors[0], feedback, edge.NaiveFeedbackStrategy(a, b, c)), using)

    examples = [vector_input(required(item, "example")) for item in items]
    return VectorScoring([vector_input(required(fields, "target")), *examples], build)


def _fusion(given: dict[str, Any], _: str) -> FusionScoring:
    if given["fusion"] not in ("rrf", "dbsf"):
        raise malformed_body("unknown variant of Fusion")
    return FusionScoring(given["fusion"])


def _rrf(given: dict[str, Any], path: str) -> FusionScoring:
    fields = mapping(given["rrf"])
    return FusionScoring("rrf", at_least_one(fields, "k", f"{path}.rrf.k") or DEFAULT_RRF_K, optional(fields, "weights", numbers))


def _sample(given: dict[str, Any], _: str) -> EngineScoring:
    if given["sample"] != "random":
        raise malformed_body("unknown variant of Sample")
    return EngineScoring(edge.Sample.Random)


_KINDS: dict[str, Callable[[dict[str, Any], str], Scoring]] = {
    "nearest": _nearest,
    "recommend": _recommend,
    "discover": _discover,
    "context": _context,
    "order_by": lambda given, _: EngineScoring(parse_order_by(given["order_by"])),
    "fusion": _fusion,
    "rrf": _rrf,
    "formula": lambda given, path: EngineScoring(parse_formula(given, path)),
    "sample": _sample,
    "relevance_feedback": _relevance_feedback,
}
