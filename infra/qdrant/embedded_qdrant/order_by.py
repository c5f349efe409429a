"""`order_by`: a payload key, or `{key, direction, start_from}`."""

from __future__ import annotations

import qdrant_edge as edge

from .errors import malformed_body
from .json_values import field_path, optional, required

_DIRECTIONS = {"asc": edge.Direction.Asc, "desc": edge.Direction.Desc}
_MALFORMED = "Expected a string, or an object with a key, direction and/or start_from"


def parse_order_by(given: object) -> edge.OrderBy:
    if type(given) is str:
        return edge.OrderBy(field_path(given))
    if type(given) is not dict:
        raise malformed_body(_MALFORMED)
    start = given.get("start_from")
    if start is not None and type(start) not in (int, float, str):
        raise malformed_body(_MALFORMED)
    try:
        return edge.OrderBy(field_path(required(given, "key")), optional(given, "direction", _direction), start)
    except (ValueError, TypeError, OverflowError):
        raise malformed_body(_MALFORMED) from None


def _direction(given: object) -> edge.Direction:
    if type(given) is not str or given not in _DIRECTIONS:
        raise malformed_body(_MALFORMED)
    return _DIRECTIONS[given]
