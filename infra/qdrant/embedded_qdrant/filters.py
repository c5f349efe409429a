"""Filters. Strict where the real server is: an unknown clause or kind of condition is a 400, while `{}` matches everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import qdrant_edge as edge

from .conditions import parse_condition
from .errors import malformed_body
from .json_values import bounded_depth, mapping, one_or_many, required, sequence, unsigned

_CLAUSES = ("should", "min_should", "must", "must_not")


@dataclass(slots=True)
class FilterParts:
    """A filter whose clauses can still be joined with another's. The lists hold the engine's conditions."""

    must: list[Any] | None = None
    should: list[Any] | None = None
    must_not: list[Any] | None = None
    min_should: tuple[list[Any], int] | None = None

    def merged(self, other: FilterParts) -> FilterParts:
        """Both. As in the real server `should` lists are joined: one hit in either is enough."""
        return FilterParts(
            _joined(self.must, other.must),
            _joined(self.should, other.should),
            _joined(self.must_not, other.must_not),
            _joined_min_should(self.min_should, other.min_should),
        )

    def engine(self) -> edge.Filter:
        least = None if self.min_should is None else edge.MinShould(*self.min_should)
        return edge.Filter(must=self.must, should=self.should, must_not=self.must_not, min_should=least)


def merge_filters(first: FilterParts | None, second: FilterParts | None) -> FilterParts | None:
    if first is None or second is None:
        return first if second is None else second
    return first.merged(second)


def engine_filter(parts: FilterParts | None) -> edge.Filter | None:
    return None if parts is None else parts.engine()


def parse_filter(given: object) -> edge.Filter | None:
    """The engine's filter; None for null. Raises 400 for a malformed one, 422 for a field condition that says nothing."""
    with bounded_depth():
        return engine_filter(parse_filter_parts(given))


def parse_filter_parts(given: object) -> FilterParts | None:
    """As `parse_filter`, for filters that will be merged."""
    if given is None:
        return None
    fields = mapping(given, "struct Filter")
    unknown = next((name for name in fields if name not in _CLAUSES), None)
    if unknown is not None:
        raise malformed_body(f"unknown field `{unknown}`, expected one of {', '.join(f'`{clause}`' for clause in _CLAUSES)}")
    return FilterParts(
        must=_conditions(one_or_many(fields.get("must"))),
        should=_conditions(one_or_many(fields.get("should"))),
        must_not=_conditions(one_or_many(fields.get("must_not"))),
        min_should=_min_should(fields.get("min_should")),
    )


def inner_filter(given: object) -> edge.Filter:
    return parse_filter_parts(mapping(given, "struct Filter")).engine()  # type: ignore[union-attr]


def _conditions(given: list[Any] | None) -> list[Any] | None:
    return None if given is None else [parse_condition(condition, inner_filter) for condition in given]


def _min_should(given: object) -> tuple[list[Any], int] | None:
    if given is None:
        return None
    fields = mapping(given, "struct MinShould")
    conditions = _conditions(sequence(required(fields, "conditions")))
    least = unsigned(required(fields, "min_count"))
    # As in the real server, no condition is no clause.
    return (conditions, least) if conditions else None


def _joined(first: list[Any] | None, second: list[Any] | None) -> list[Any] | None:
    if first is None or second is None:
        return first if second is None else second
    return first + second


def _joined_min_should(first: tuple[list[Any], int] | None, second: tuple[list[Any], int] | None) -> tuple[list[Any], int] | None:
    if first is None or second is None:
        return first if second is None else second
    return first[0] + second[0], max(first[1], second[1])
