"""Objects out of request JSON, field by field, as the real server's deserialiser takes them; single values are in json_values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import ApiError, malformed_body
from .json_values import MOST_UNSIGNED, mapping, sequence, wrong_type

# Takes a JSON value and returns it as the program wants it, or raises the 400 of a malformed body.
Reader = Callable[[Any], Any]

_MOST_U32 = 2**32 - 1


class Struct:
    """
    Reads an object to a dict of the fields that were given and are not null, by their own names; unknown fields are left out.

    `required` and `optional` map a field to its reader; `aliases` maps another spelling to the field;
    `not_null` names optional fields that may be absent but not null.
    """

    def __init__(
        self,
        name: str,
        *,
        required: Mapping[str, Reader] | None = None,
        optional: Mapping[str, Reader] | None = None,
        aliases: Mapping[str, str] | None = None,
        not_null: tuple[str, ...] = (),
    ) -> None:
        self._name = name
        self._required = dict(required or {})
        self._readers = {**self._required, **(optional or {})}
        self._aliases = dict(aliases or {})
        self._read_null = {*self._required, *not_null}

    def __call__(self, value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for given, content in mapping(value, f"struct {self._name}").items():
            field = self._aliases.get(given, given)
            reader = self._readers.get(field)
            if reader is None or (content is None and field not in self._read_null):
                continue
            if field in found:
                raise malformed_body(f"duplicate field `{field}`")
            found[field] = reader(content)
        for field in self._required:
            if field not in found:
                raise malformed_body(f"missing field `{field}`")
        return found


def untagged(name: str, *readers: Reader) -> Reader:
    """The first reader that takes the value. Which one failed for what reason is not said: the real server does not either."""

    def read(value: Any) -> Any:
        for reader in readers:
            try:
                return reader(value)
            except ApiError as error:
                if error.status != 400:
                    raise
        raise no_variant(name)

    return read


def no_variant(name: str) -> ApiError:
    return malformed_body(f"data did not match any variant of untagged enum {name}")


def variant(*names: str) -> Reader:
    """One of an enum's names."""
    shown = [f"`{name}`" for name in names]
    expected = " or ".join(shown) if len(shown) < 3 else f"one of {', '.join(shown)}"

    def read(value: Any) -> str:
        if type(value) is not str:
            raise wrong_type(value, "string or map")
        if value not in names:
            raise malformed_body(f"unknown variant `{value}`, expected {expected}")
        return value

    return read


def list_of(item: Reader) -> Reader:
    return lambda value: [item(entry) for entry in sequence(value)]


def map_of(item: Reader) -> Reader:
    return lambda value: {name: item(entry) for name, entry in mapping(value).items()}


def u32(value: Any) -> int:
    return _whole(value, "u32", _MOST_U32)


def nonzero_u32(value: Any) -> int:
    return _nonzero(_whole(value, "u32", _MOST_U32), "u32")


def nonzero_u64(value: Any) -> int:
    return _nonzero(_whole(value, "u64", MOST_UNSIGNED), "u64")


def _whole(value: Any, name: str, most: int) -> int:
    if type(value) is not int:
        raise wrong_type(value, name)
    if not 0 <= value <= most:
        raise malformed_body(f"invalid value: integer `{value}`, expected {name}")
    return value


def _nonzero(value: int, name: str) -> int:
    if value == 0:
        raise malformed_body(f"invalid value: integer `0`, expected a nonzero {name}")
    return value
