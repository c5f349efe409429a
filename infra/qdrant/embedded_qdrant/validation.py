"""Values of the right form that are refused all the same: 422, in the words of the real server's validators."""

from __future__ import annotations

from .errors import ApiError, unprocessable

_UNSAFE = ("<", ">", ":", '"', "/", "\\", "|", "?", "*", "\0", "\x1f")
_MOST_NAME_CHARACTERS = 255
_MOST_VECTOR_NAME_BYTES = 200


def invalid(where: str, path: str, message: str) -> ApiError:
    """`where`: "JSON body", "path parameters" or "query parameters"; `path`: the field as the real server spells it."""
    return unprocessable(f"Validation error in {where}: [{path}: {message}]")


def out_of_range(value: object, least: object | None, most: object | None = None) -> str:
    bounds = f"must be {least} or larger" if most is None else f"must be from {least} to {most}"
    return f"value {value} invalid, {bounds}"


def plain_code(code: str) -> str:
    """What the validator library says for a code that has no message of its own."""
    return f"Validation error: {code} [{{}}]"


def check_collection_name(name: str, *, new: bool) -> None:
    """Raises 422. A new collection's name may hold less than those of old ones."""
    if not 1 <= len(name) <= _MOST_NAME_CHARACTERS:
        raise invalid("path parameters", "collection_name", f'value "{name}" invalid, must be from 1 to {_MOST_NAME_CHARACTERS} characters')
    if new and name in (".", ".."):
        raise invalid("path parameters", "collection_name", f'collection name cannot be "{name}"')
    for character in _UNSAFE if new else ("/", "\0"):
        if character in name:
            raise invalid("path parameters", "collection_name", f'collection name cannot contain "{character}" char')


def vector_name_error(name: str) -> str | None:
    if len(name.encode()) > _MOST_VECTOR_NAME_BYTES:
        return f"vector name must be at most {_MOST_VECTOR_NAME_BYTES} bytes long"
    character = next((unsafe for unsafe in _UNSAFE if unsafe in name), None)
    return None if character is None else f'vector name cannot contain "{character}" char'
