"""Point ids: whole numbers of 64 bits, or UUIDs in any of their four spellings."""

from __future__ import annotations

import uuid

from .errors import malformed_body
from .json_values import MOST_UNSIGNED

PointId = int | uuid.UUID

_HYPHENS = (8, 13, 18, 23)


def parse_id(given: object) -> PointId:
    """Raises 400 for anything else, also for a number in a string."""
    if type(given) is int and 0 <= given <= MOST_UNSIGNED:
        return given
    if type(given) is str:
        parsed = _uuid(given)
        if parsed is not None:
            return parsed
    shown = "Unit" if given is None else str(given).lower() if type(given) is bool else given
    raise malformed_body(f"value {shown} is not a valid point ID, valid values are either an unsigned integer or a UUID")


def shown_id(point_id: PointId | str) -> int | str:
    """As answers hold it: a UUID in lower case with hyphens."""
    return point_id if type(point_id) is int else str(point_id)


def _uuid(text: str) -> uuid.UUID | None:
    # uuid.UUID drops hyphens and braces wherever they stand; the real server's parser knows four spellings.
    if len(text) == 38 and text[0] == "{" and text[-1] == "}":
        text = text[1:-1]
    elif len(text) == 45 and text.startswith("urn:uuid:"):
        text = text[9:]
    plain = len(text) == 32
    if not plain and not (len(text) == 36 and all(text[place] == "-" for place in _HYPHENS)):
        return None
    digits = text if plain else text.replace("-", "")
    # int() would take signs, spaces and underscores.
    if len(digits) != 32 or not digits.isascii() or not digits.isalnum():
        return None
    try:
        return uuid.UUID(int=int(digits, 16))
    except ValueError:
        return None
