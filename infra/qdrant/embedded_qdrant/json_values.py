"""
Values out of request JSON, taken as the real server's deserialiser takes them: null counts as absent where a field is optional,
unknown fields are ignored, and a wrong type is a 400 that says what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import qdrant_edge as edge

from .errors import ApiError, invalid_body, malformed_body

T = TypeVar("T")

MOST_UNSIGNED = 2**64 - 1
_LEAST_SIGNED, _MOST_SIGNED = -(2**63), 2**63 - 1
_NUMBERS = {int, float}
_TYPE_NAMES = {bool: "boolean", int: "integer", float: "floating point", str: "string", list: "sequence", dict: "map", type(None): "null"}


@contextmanager
def bounded_depth() -> Iterator[None]:
    """Around parsing what may be nested: too deep is malformed."""
    try:
        yield
    except RecursionError:
        raise malformed_body("recursion limit exceeded") from None


def wrong_type(value: object, expected: str) -> ApiError:
    return malformed_body(f"invalid type: {_shown(value)}, expected {expected}")


def _shown(value: object) -> str:
    name = _TYPE_NAMES[type(value)]
    if type(value) is str:
        return f"{name} {json.dumps(value, ensure_ascii=False)}"
    if type(value) in (bool, int, float):
        return f"{name} `{json.dumps(value)}`"
    return name


def mapping(value: object, expected: str = "a map") -> dict[str, Any]:
    if type(value) is not dict:
        raise wrong_type(value, expected)
    return value


def sequence(value: object, expected: str = "a sequence") -> list[Any]:
    if type(value) is not list:
        raise wrong_type(value, expected)
    return value


def text(value: object) -> str:
    if type(value) is not str:
        raise wrong_type(value, "a string")
    return value


def boolean(value: object) -> bool:
    if type(value) is not bool:
        raise wrong_type(value, "a boolean")
    return value


def number(value: object) -> float:
    if type(value) not in _NUMBERS:
        raise wrong_type(value, "a number")
    return float(value)  # type: ignore[arg-type]


def unsigned(value: object) -> int:
    if type(value) is int and value < 0:
        raise malformed_body(f"invalid value: {_shown(value)}, expected usize")
    if type(value) is not int or not 0 <= value <= MOST_UNSIGNED:
        raise wrong_type(value, "usize")
    return value


def signed(value: object) -> int:
    if type(value) is not int or not _LEAST_SIGNED <= value <= _MOST_SIGNED:
        raise wrong_type(value, "i64")
    return value


def numbers(value: object) -> list[float]:
    """A vector: checked in one pass, because it is the longest thing in a request."""
    if type(value) is not list or not _NUMBERS.issuperset(map(type, value)):
        raise wrong_type(value, "a sequence of numbers")
    return value


def field_path(value: object) -> str:
    """A payload key such as `a.b[].c`."""
    path = text(value)
    try:
        edge.IsNullCondition(path)  # The engine has no parser of its own for paths.
    except ValueError:
        raise malformed_body(f"Invalid json path: '{path}'") from None
    return path


def one_or_many(value: object) -> list[Any] | None:
    """A list, or one item that stands without its list, or None."""
    if value is None or type(value) is list:
        return value  # type: ignore[return-value]
    return [mapping(value, "null, array or map")]


def required(fields: dict[str, Any], name: str) -> Any:
    if name not in fields:
        raise malformed_body(f"missing field `{name}`")
    return fields[name]


def optional(fields: dict[str, Any], name: str, read: Callable[[Any], T], default: T | None = None) -> T | None:
    value = fields.get(name)
    return default if value is None else read(value)


def defaulted(fields: dict[str, Any], name: str, read: Callable[[Any], T], default: T) -> T:
    """As `optional`, for a field that may be absent but not null."""
    return read(fields[name]) if name in fields else default


def at_least_one(fields: dict[str, Any], name: str, path: str) -> int | None:
    """Raises 422 for 0. `path` names the field in the error as the real server does."""
    value = optional(fields, name, unsigned)
    if value == 0:
        raise invalid_body(path, "value 0 invalid, must be 1 or larger")
    return value
