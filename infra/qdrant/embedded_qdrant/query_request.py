"""The body of a query: what is asked, before anything is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import qdrant_edge as edge

from .errors import bad_request, wrong_input
from .filters import FilterParts, parse_filter_parts
from .json_values import at_least_one, mapping, number, one_or_many, optional, required, text, unsigned
from .reads import DEFAULT_LIMIT
from .scoring import EngineScoring, FusionScoring, Scoring, VectorScoring, parse_scoring
from .search_params import search_params
from .selectors import PayloadChoice, VectorChoice, with_payload, with_vector

_DEEPEST_PREFETCH = 64


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where the vectors of points named in a query are: another collection, and its vector if not that of `using`."""

    collection: str
    vector: str | None


@dataclass(slots=True)
class QueryNode:
    """A query or prefetch, with the prefetches it works on."""

    limit: int
    scoring: Scoring | None = None
    using: str = ""
    filter: FilterParts | None = None
    score_threshold: float | None = None
    params: edge.SearchParams | None = None
    lookup: Lookup | None = None
    prefetch: list[QueryNode] = field(default_factory=list)

    def walk(self) -> Iterator[QueryNode]:
        """Itself and everything below."""
        yield self
        for node in self.prefetch:
            yield from node.walk()

    @property
    def lookup_vector(self) -> str:
        return self.using if self.lookup is None or self.lookup.vector is None else self.lookup.vector


@dataclass(slots=True)
class QueryRequest:
    root: QueryNode
    offset: int = 0
    with_payload: PayloadChoice = False
    with_vector: VectorChoice = False
    # A search, recommend or discover.
    is_older: bool = False


def parse_query(body: object, path: str) -> QueryRequest:
    """`path` is how the real server calls the body in validation errors. Raises 400, 422, 501."""
    fields = mapping(body, "struct QueryRequest")
    return QueryRequest(
        root=_node(fields, path),
        offset=optional(fields, "offset", unsigned) or 0,
        with_payload=with_payload(fields, default=False),
        with_vector=with_vector(fields, nullable=True),
    )


def check_query(root: QueryNode) -> None:
    """What only the whole request shows to be wrong. Raises 400."""
    if _depth(root) > _DEEPEST_PREFETCH:
        raise wrong_input(f"Validation failed: prefetches depth {_depth(root)} exceeds max depth {_DEEPEST_PREFETCH}")
    for node in root.walk():
        _check_node(node)


def lookup(given: object) -> Lookup:
    fields = mapping(given, "struct LookupLocation")
    return Lookup(text(required(fields, "collection")), optional(fields, "vector", text))


def _node(fields: dict[str, Any], path: str) -> QueryNode:
    prefetch = one_or_many(fields.get("prefetch")) or []
    query = fields.get("query")
    return QueryNode(
        limit=at_least_one(fields, "limit", f"{path}.limit") or DEFAULT_LIMIT,
        scoring=None if query is None else parse_scoring(query, f"{path}.query"),
        using=optional(fields, "using", text) or "",
        filter=parse_filter_parts(fields.get("filter")),
        score_threshold=optional(fields, "score_threshold", number),
        params=optional(fields, "params", search_params),
        lookup=optional(fields, "lookup_from", lookup),
        prefetch=[_node(mapping(inner, "struct Prefetch"), f"{path}.prefetch[{at}]") for at, inner in enumerate(prefetch)],
    )


def _depth(node: QueryNode) -> int:
    return 1 + max(map(_depth, node.prefetch)) if node.prefetch else 0


def _check_node(node: QueryNode) -> None:
    scoring = node.scoring
    if node.prefetch and scoring is None:
        raise bad_request("Bad request: A query is needed to merge the prefetches. Can't have prefetches without defining a query.")
    if node.score_threshold is not None:
        _check_threshold(scoring)
    if isinstance(scoring, FusionScoring):
        if node.using:
            raise bad_request("Bad request: Fusion queries cannot be combined with the 'using' field.")
        if not node.prefetch:
            raise wrong_input("Validation failed: cannot apply Fusion without prefetches")


def _check_threshold(scoring: Scoring | None) -> None:
    if scoring is None:
        raise bad_request("Bad request: A query is needed to use the score_threshold. Can't have score_threshold without defining a query.")
    if isinstance(scoring, EngineScoring) and isinstance(scoring.engine, edge.OrderBy):
        raise bad_request("Bad request: Can't use score_threshold with an order_by query.")


def is_ranked_by_score(scoring: Scoring | None) -> bool:
    """Whether points of equal score may change places."""
    if isinstance(scoring, VectorScoring):
        return scoring.ranked_by_score
    return isinstance(scoring, EngineScoring) and isinstance(scoring.engine, edge.Formula)
