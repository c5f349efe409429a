"""Conditions of a filter: what each may hold, and the engine's object for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from .errors import ApiError, invalid_body, malformed_body
from .filter_scope import current_scope, filter_scope
from .ids import parse_id
from .json_values import boolean, field_path, mapping, number, optional, required, sequence, signed, text, unsigned

ReadFilter = Callable[[object], "edge.Filter"]

NOT_A_CONDITION = (
    'Expected some form of condition, which can be a field condition (like {"key": ..., "match": ... }), or some other mentioned '
    "in the documentation: https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions"
)
_BOUNDS = ("gte", "gt", "lte", "lt")
_TEXT_MATCHES = (edge.MatchText, edge.MatchTextAny, edge.MatchPhrase)


class _EngineBool:
    """The engine takes Python's bool for a whole number, but numpy's for a bool; it knows the latter by name."""

    __module__ = "numpy"

    def __init__(self, value: bool) -> None:
        self._value = value

    def __bool__(self) -> bool:
        return self._value


_EngineBool.__name__ = "bool_"


def parse_condition(given: object, read_filter: ReadFilter) -> Any:
    """
    A condition, as the engine has it. `read_filter` reads the filters that are inside.

    Raises 400 for a kind that there is not, 422 for a field condition that says nothing.
    """
    if type(given) is not dict:
        raise malformed_body(NOT_A_CONDITION)
    if "key" in given:
        return _field_condition(given)
    for name, read in _KINDS.items():
        if name in given:
            try:
                return read(given[name], read_filter)
            except ApiError as error:
                if error.status != 400:
                    raise
    try:
        return read_filter(given)
    except ApiError as error:
        raise (error if error.status != 400 else malformed_body(NOT_A_CONDITION)) from None


def _field_condition(given: dict[str, Any]) -> Any:
    key = field_path(given["key"])
    tests = {name: read(given[name]) for name, read in _FIELD_TESTS.items() if given.get(name) is not None}
    if not tests:
        raise invalid_body("filter", "Validation error: At least one field condition must be specified [{}]")
    count = tests.get("values_count")
    if count is not None and _takes_none(count):
        return edge.Filter(must=[edge.FieldCondition(key, **tests)], must_not=[edge.HasIdCondition(current_scope().points_without(key))])
    if isinstance(tests.get("match"), _TEXT_MATCHES) and not current_scope().has_text_index(key):
        return _unindexed_text(key, tests)
    return edge.FieldCondition(key, **tests)


def _takes_none(count: edge.ValuesCount) -> bool:
    return (count.lt is None or count.lt > 0) and count.gt is None and not count.gte


def _unindexed_text(key: str, tests: dict[str, Any]) -> Any:
    """Without an index the real server looks for the text as it is, or for one of its words."""
    match = tests.pop("match")
    if isinstance(match, edge.MatchTextAny):
        wanted = match.text_any.split()
    else:
        wanted = [match.text if isinstance(match, edge.MatchText) else match.phrase]
    found: list[Any] = [edge.FieldCondition(key, match=edge.MatchSubstring(part), **tests) for part in wanted]
    if not found:
        return edge.FieldCondition(key, **tests) if tests else edge.HasIdCondition(set())
    return found[0] if len(found) == 1 else edge.Filter(should=found)


def _match(given: object) -> Any:
    fields = mapping(given, "a match")
    for name, read in _MATCHES.items():
        if name in fields:
            try:
                return read(fields[name])
            except ApiError:
                continue
    raise malformed_body("data did not match any variant of untagged enum MatchInterface")


def _match_value(value: object) -> edge.MatchValue:
    if type(value) is bool:
        return edge.MatchValue(_EngineBool(value))  # type: ignore[arg-type]
    return edge.MatchValue(value if type(value) is str else signed(value))


def _variants(value: object) -> list[Any]:
    items = sequence(value)
    if all(type(item) is str for item in items):
        return items
    return [signed(item) for item in items]


def _range(given: object) -> Any:
    fields = mapping(given, "a range")
    bounds = {name: fields[name] for name in _BOUNDS if fields.get(name) is not None}
    if any(type(bound) is str for bound in bounds.values()):
        try:
            return edge.RangeDateTime(**{name: text(bound) for name, bound in bounds.items()})
        except ValueError:
            shown = next(bound for bound in bounds.values() if not _is_datetime(bound))
            raise malformed_body(f"'{shown}' does not match accepted datetime format (RFC3339). Example: 2014-01-01T00:00:00Z") from None
    return edge.RangeFloat(**{name: number(bound) for name, bound in bounds.items()})


def _is_datetime(given: str) -> bool:
    try:
        edge.RangeDateTime(gte=given)
    except ValueError:
        return False
    return True


def _values_count(given: object) -> edge.ValuesCount:
    fields = mapping(given, "struct ValuesCount")
    return edge.ValuesCount(**{name: optional(fields, name, unsigned) for name in _BOUNDS})


def geo_point(given: object) -> edge.GeoPoint:
    fields = mapping(given, "struct GeoPoint")
    try:
        return edge.GeoPoint(number(required(fields, "lon")), number(required(fields, "lat")))
    except ValueError as error:
        raise malformed_body(str(error)) from None


def _geo_box(given: object) -> edge.GeoBoundingBox:
    fields = mapping(given, "struct GeoBoundingBox")
    return edge.GeoBoundingBox(geo_point(required(fields, "top_left")), geo_point(required(fields, "bottom_right")))


def _geo_radius(given: object) -> edge.GeoRadius:
    fields = mapping(given, "struct GeoRadius")
    return edge.GeoRadius(geo_point(required(fields, "center")), number(required(fields, "radius")))


def _geo_polygon(given: object) -> edge.GeoPolygon:
    fields = mapping(given, "struct GeoPolygon")
    interiors = optional(fields, "interiors", sequence)
    try:
        return edge.GeoPolygon(_line(required(fields, "exterior")), None if interiors is None else [_line(line) for line in interiors])
    except ValueError as error:
        raise malformed_body(str(error)) from None


def _line(given: object) -> list[edge.GeoPoint]:
    return [geo_point(point) for point in sequence(required(mapping(given, "struct GeoLineString"), "points"))]


def _key_of(given: object) -> str:
    return field_path(required(mapping(given, "struct PayloadField"), "key"))


def _is_null(key: str) -> Any:
    if current_scope().has_index(key):
        return edge.IsNullCondition(key)
    # A null counts for no values, a list with a null in it for at least one.
    return edge.Filter(must=[edge.IsNullCondition(key), edge.FieldCondition(key, values_count=edge.ValuesCount(lte=0))])


def _has_id(given: object) -> edge.HasIdCondition:
    return edge.HasIdCondition({parse_id(item) for item in sequence(given)})


def _nested(given: object, read_filter: ReadFilter) -> edge.NestedCondition:
    fields = mapping(given, "struct Nested")
    key = field_path(required(fields, "key"))
    with filter_scope(current_scope().nested(key)):
        return edge.NestedCondition(key, read_filter(required(fields, "filter")))


_KINDS: dict[str, Callable[[object, ReadFilter], Any]] = {
    "is_empty": lambda given, _: edge.IsEmptyCondition(_key_of(given)),
    "is_null": lambda given, _: _is_null(_key_of(given)),
    "has_id": lambda given, _: _has_id(given),
    "has_vector": lambda given, _: edge.HasVectorCondition(text(given)),
    "nested": _nested,
}

_FIELD_TESTS: dict[str, Callable[[object], Any]] = {
    "match": _match,
    "range": _range,
    "geo_bounding_box": _geo_box,
    "geo_radius": _geo_radius,
    "geo_polygon": _geo_polygon,
    "values_count": _values_count,
    "is_empty": boolean,
    "is_null": boolean,
}

# In the order in which the real server tries them: the first that fits wins.
_MATCHES: dict[str, Callable[[object], Any]] = {
    "value": _match_value,
    "text": lambda value: edge.MatchText(text(value)),
    "text_any": lambda value: edge.MatchTextAny(text(value)),
    "phrase": lambda value: edge.MatchPhrase(text(value)),
    "any": lambda value: edge.MatchAny(_variants(value)),
    "except": lambda value: edge.MatchExcept(_variants(value)),
}
