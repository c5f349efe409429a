"""The requests that came before `query`: search, recommend, discover. Each is a query by another name."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .errors import bad_request, malformed_body
from .filters import parse_filter_parts
from .json_values import at_least_one, mapping, number, numbers, optional, required, sequence, text, unsigned
from .query_request import QueryNode, QueryRequest, lookup
from .query_vectors import sparse_vector, vector_input
from .scoring import Scoring, context_scoring, discover_scoring, nearest_scoring, recommend_scoring
from .search_params import search_params
from .selectors import with_payload, with_vector


def parse_search(body: object, path: str) -> QueryRequest:
    """`{vector: [...] | {name, vector}, limit, ...}`. `path` names the body in validation errors, here and below."""
    fields = mapping(body, "struct SearchRequest")
    name, vector = _named_vector(required(fields, "vector"))
    return _request(fields, path, nearest_scoring(vector), name)


def parse_recommend(body: object, path: str) -> QueryRequest:
    """`{positive, negative, strategy?, limit, ...}`"""
    fields = mapping(body, "struct RecommendRequest")
    positive = optional(fields, "positive", sequence) or []
    negative = optional(fields, "negative", sequence) or []
    strategy = fields.get("strategy")
    if not positive and strategy in (None, "average_vector"):
        raise bad_request("Bad request: At least one positive vector ID required with this strategy")
    if not positive and not negative:
        raise bad_request("Bad request: At least one positive or negative vector ID required with this strategy")
    return _request(fields, path, recommend_scoring(positive, negative, strategy, path), _using(fields))


def parse_discover(body: object, path: str) -> QueryRequest:
    """`{target?, context?, limit, ...}`"""
    fields = mapping(body, "struct DiscoverRequest")
    target = optional(fields, "target", vector_input)
    context = optional(fields, "context", sequence)
    scoring = context_scoring(context) if target is None else discover_scoring(target, context)
    return _request(fields, path, scoring, _using(fields))


def _request(fields: dict[str, Any], path: str, scoring: Scoring, using: str) -> QueryRequest:
    return QueryRequest(
        root=QueryNode(
            limit=_limit(fields, path),
            scoring=scoring,
            using=using,
            filter=parse_filter_parts(fields.get("filter")),
            score_threshold=optional(fields, "score_threshold", number),
            params=optional(fields, "params", search_params),
            lookup=optional(fields, "lookup_from", lookup),
        ),
        offset=optional(fields, "offset", unsigned) or 0,
        with_payload=with_payload(fields, default=False),
        with_vector=with_vector(fields, nullable=True),
        is_older=True,
    )


def _limit(fields: dict[str, Any], path: str) -> int:
    given = fields["top"] if "top" in fields else required(fields, "limit")
    return at_least_one({"limit": unsigned(given)}, "limit", f"{path}.limit") or 0


def _using(fields: dict[str, Any]) -> str:
    return optional(fields, "using", text) or ""


def _named_vector(given: object) -> tuple[str, list[float] | edge.SparseVector]:
    if type(given) is list:
        return "", numbers(given)
    if type(given) is not dict:
        raise malformed_body("data did not match any variant of untagged enum NamedVectorStruct")
    vector = required(given, "vector")
    return text(required(given, "name")), sparse_vector(vector) if type(vector) is dict else numbers(vector)
