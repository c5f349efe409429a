"""`with_payload` and `with_vector`: what of a point an answer holds."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .errors import malformed_body
from .json_values import field_path, sequence, text

# True, False, a list of payload keys, or the engine's selector. False asks for nothing.
PayloadChoice = Any
VectorChoice = Any

_NOT_A_PAYLOAD_CHOICE = "Expected a boolean, an array of strings, or an object with an include/exclude field"
_NOT_A_VECTOR_CHOICE = "Expected a boolean, or an array of strings"


def payload_choice(given: object) -> PayloadChoice:
    if type(given) is bool:
        return given
    if type(given) is list and all(type(key) is str for key in given):
        return [field_path(key) for key in given]
    if type(given) is dict and len(given) == 1:
        if "include" in given:
            return edge.PayloadSelector.Include([field_path(key) for key in sequence(given["include"])])
        if "exclude" in given:
            return edge.PayloadSelector.Exclude([field_path(key) for key in sequence(given["exclude"])])
    raise malformed_body(_NOT_A_PAYLOAD_CHOICE)


def vector_choice(given: object) -> VectorChoice:
    if type(given) is bool:
        return given
    if type(given) is list and all(type(name) is str for name in given):
        return [text(name) for name in given]
    raise malformed_body(_NOT_A_VECTOR_CHOICE)


def with_payload(fields: dict[str, Any], default: bool) -> PayloadChoice:
    given = fields.get("with_payload")
    return default if given is None else payload_choice(given)


def with_vector(fields: dict[str, Any], *, nullable: bool) -> VectorChoice:
    """`with_vectors` is the same field's other name. `nullable`: whether null counts as absent."""
    for name in ("with_vector", "with_vectors"):
        if name in fields and not (nullable and fields[name] is None):
            return vector_choice(fields[name])
    return False
