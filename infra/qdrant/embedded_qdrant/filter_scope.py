"""
What a filter means in its collection. The engine reads three kinds of condition otherwise than the real server: a text without a text
index (the engine folds case and splits words), `is_null` without an index (the engine takes a list with a null for null), and the
number of values of a missing key (the engine takes it for 0).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import qdrant_edge as edge

from .collection import Collection
from .engine_errors import reading_engine
from .registry import Registry

_PAGE = 10_000
_STEPS = re.compile(r'"([^"]*)"|([^.\[\]"]+)|\[(\d*)\]')


@dataclass(frozen=True, slots=True)
class FilterScope:
    """`prefix`: the path of the nested objects that the filter looks at, "" for the whole payload."""

    text_fields: frozenset[str] = frozenset()
    indexed_fields: frozenset[str] = frozenset()
    points_without: Callable[[str], set[Any]] = field(default=lambda key: set())
    prefix: str = ""

    def has_text_index(self, key: str) -> bool:
        return self.prefix + key in self.text_fields

    def has_index(self, key: str) -> bool:
        return self.prefix + key in self.indexed_fields

    def nested(self, key: str) -> FilterScope:
        """Of the objects at `key`. Which of them lack a key cannot be told by the ids of their points."""
        return FilterScope(self.text_fields, self.indexed_fields, prefix=f"{self.prefix}{key.removesuffix('[]')}[].")


_scope: ContextVar[FilterScope] = ContextVar("filter_scope", default=FilterScope())


def current_scope() -> FilterScope:
    return _scope.get()


@contextmanager
def filter_scope(scope: FilterScope) -> Iterator[None]:
    """Around parsing filters."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def scope_of(registry: Registry, collection_name: str) -> FilterScope:
    """Of a collection that may be missing: its filters are read all the same, because what is wrong with them is said first."""
    real = registry.real_name(collection_name)
    if real is None:
        return FilterScope()
    collection = registry.collection(real)
    text_fields = frozenset(key for key, schema in collection.payload_schema.items() if _kind(schema) == "text")
    return FilterScope(text_fields, frozenset(collection.payload_schema), lambda key: _points_without(collection, key))


def _kind(schema: str | dict[str, Any]) -> str:
    return schema if isinstance(schema, str) else schema["type"]


def _points_without(collection: Collection, key: str) -> set[Any]:
    """Those whose payload has nothing at `key`, not even null or an empty list."""
    path = [quoted or plain or int(place or -1) for quoted, plain, place in _STEPS.findall(key)]
    top = _STEPS.match(key)
    nothing = edge.Filter(must=[edge.IsEmptyCondition(key)], must_not=[edge.IsNullCondition(key)])
    found: set[Any] = set()
    offset: Any = None
    with collection.read() as shard, reading_engine():
        while True:
            page, offset = shard.scroll(edge.ScrollRequest(offset=offset, limit=_PAGE, filter=nothing, with_payload=[top.group()] if top else True, with_vector=False))
            found.update(record.id for record in page if not _has_value(record.payload, path))
            if offset is None:
                return found


def _has_value(value: Any, path: list[str | int]) -> bool:
    if not path:
        return True
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return type(value) is dict and step in value and _has_value(value[step], rest)
    if type(value) is not list:
        return False
    items = value if step == -1 else value[step : step + 1]
    return any(_has_value(item, rest) for item in items)
