"""`shard_key` of a request. No collection here has any: to ignore it would read or write other points than those that were meant."""

from __future__ import annotations

import json
from typing import Any

from .errors import bad_request, malformed_body, not_found, wrong_input


def refuse_read_shard_key(body: Any) -> None:
    """Raises 400 or 404 if there is one."""
    key = _shard_key(body)
    if key is not None:
        raise bad_request(f"Bad request: Shard key {key} not found")


def refuse_write_shard_key(body: Any) -> None:
    """Raises 400 or 404 if there is one."""
    key = _shard_key(body)
    if key is not None:
        raise wrong_input(f"Shard key {key} not found")


def _shard_key(body: Any) -> str | None:
    """As it is shown; the first of several."""
    given = body.get("shard_key") if type(body) is dict else None
    if given is None:
        return None
    if given == []:
        raise wrong_input("Empty shard keys selection")
    if type(given) is dict and "target" in given and "fallback" in given:
        raise not_found(
            f"Not found: Neither target shard key {_shown(given['target'])} nor fallback shard key {_shown(given['fallback'])} exist not found"
        )
    return _shown(given[0] if type(given) is list else given)


def _shown(key: object) -> str:
    if type(key) not in (str, int):
        raise malformed_body("Expected a string or an integer")
    return json.dumps(key, ensure_ascii=False)
