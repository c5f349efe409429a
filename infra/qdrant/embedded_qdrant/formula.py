"""`formula`: an expression over scores and payload that re-scores what prefetches found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from .conditions import geo_point, parse_condition
from .errors import invalid_body, malformed_body
from .filters import inner_filter
from .json_values import field_path, mapping, number, optional, required, sequence, text

_SCORE = "$score"


def parse_formula(given: dict[str, Any], path: str) -> edge.Formula:
    """`{formula: expression, defaults?: {variable: value}}`"""
    expression = _expression(given["formula"])
    defaults = optional(given, "defaults", mapping) or {}
    for variable, value in defaults.items():
        if variable.startswith(_SCORE) and type(value) not in (int, float):
            raise invalid_body(f"{path}.defaults", "Validation error: Score default must be a number [{}]")
    try:
        return edge.Formula(expression, defaults)
    except (ValueError, TypeError) as error:
        raise malformed_body(str(error)) from None


def _expression(given: object) -> Any:
    if type(given) in (int, float):
        return edge.Expression.Constant(number(given))
    if type(given) is str:
        return edge.Expression.Variable(given)
    fields = mapping(given, "an expression")
    operator = next((name for name in _OPERATORS if name in fields), None)
    if operator is not None:
        return _OPERATORS[operator](fields[operator])
    return edge.Expression.Condition(parse_condition(fields, inner_filter))


def _several(given: object) -> list[Any]:
    return [_expression(item) for item in sequence(given)]


def _geo_distance(given: object) -> Any:
    fields = mapping(given)
    return edge.Expression.GeoDistance(geo_point(required(fields, "origin")), field_path(required(fields, "to")))


def _datetime(given: object) -> Any:
    try:
        return edge.Expression.Datetime(text(given))
    except ValueError as error:
        raise malformed_body(str(error)) from None


def _div(given: object) -> Any:
    fields = mapping(given)
    left, right = _expression(required(fields, "left")), _expression(required(fields, "right"))
    return edge.Expression.Div(left, right, optional(fields, "by_zero_default", number))


def _pow(given: object) -> Any:
    fields = mapping(given)
    return edge.Expression.Pow(_expression(required(fields, "base")), _expression(required(fields, "exponent")))


def _decay(kind: Any) -> Callable[[object], Any]:
    def read(given: object) -> Any:
        fields = mapping(given)
        return edge.Expression.Decay(
            kind,
            _expression(required(fields, "x")),
            optional(fields, "target", _expression),
            optional(fields, "midpoint", number),
            optional(fields, "scale", number),
        )

    return read


_OPERATORS: dict[str, Callable[[object], Any]] = {
    "geo_distance": _geo_distance,
    "datetime": _datetime,
    "datetime_key": lambda given: edge.Expression.DatetimeKey(field_path(given)),
    "mult": lambda given: edge.Expression.Mult(_several(given)),
    "sum": lambda given: edge.Expression.Sum(_several(given)),
    "neg": lambda given: edge.Expression.Neg(_expression(given)),
    "abs": lambda given: edge.Expression.Abs(_expression(given)),
    "div": _div,
    "sqrt": lambda given: edge.Expression.Sqrt(_expression(given)),
    "pow": _pow,
    "exp": lambda given: edge.Expression.Exp(_expression(given)),
    "log10": lambda given: edge.Expression.Log10(_expression(given)),
    "ln": lambda given: edge.Expression.Ln(_expression(given)),
    "lin_decay": _decay(edge.DecayKind.Lin),
    "exp_decay": _decay(edge.DecayKind.Exp),
    "gauss_decay": _decay(edge.DecayKind.Gauss),
}
