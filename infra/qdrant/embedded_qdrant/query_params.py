"""Query parameters: those of writes, and what all have in common."""

from __future__ import annotations

from starlette.datastructures import QueryParams

from .errors import ApiError, bad_request
from .json_values import MOST_UNSIGNED
from .validation import invalid, out_of_range

_MOST_DIGITS = 64
_ORDERINGS = ("weak", "medium", "strong")


def read_wait(query: QueryParams) -> bool:
    """`wait`; the other parameters of a write are checked and change nothing on a single server. Raises 400."""
    wait = single(query, "wait", "false")
    if wait not in ("true", "false"):
        raise malformed_query("provided string was not `true` or `false`")
    ordering = single(query, "ordering", "weak")
    if ordering not in _ORDERINGS:
        raise malformed_query(f"unknown variant `{ordering}`, expected one of `weak`, `medium`, `strong`")
    whole(single(query, "timeout", "60"))
    return wait == "true"


def check_timeout(query: QueryParams) -> None:
    """The `timeout` of an operation on a collection. Raises 400, and 422 for 0."""
    if whole(single(query, "timeout", "60")) == 0:
        raise invalid("query parameters", "timeout", out_of_range(0, 1))


def single(query: QueryParams, name: str, default: str) -> str:
    """Raises 400 if it is given twice."""
    given = query.getlist(name)
    if len(given) > 1:
        raise malformed_query(f"duplicate field `{name}`")
    return given[0] if given else default


def malformed_query(message: str) -> ApiError:
    return bad_request(f"Deserialize error in query parameters: {message}")


def whole(given: str) -> int:
    if not given.isascii() or not given.isdecimal():
        raise malformed_query("invalid digit found in string")
    if len(given) > _MOST_DIGITS or int(given) > MOST_UNSIGNED:
        raise malformed_query("number too large to fit in target type")
    return int(given)
