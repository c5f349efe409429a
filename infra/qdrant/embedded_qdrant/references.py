"""Queries by id: the vectors of the points they name, and those points kept out of the answer."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .collection import Collection
from .engine_errors import reading_engine
from .errors import not_found
from .filters import FilterParts, merge_filters
from .ids import PointId
from .query_request import QueryNode
from .query_vectors import RawVector, VectorInput, VectorOf
from .registry import Registry
from .scoring import VectorScoring

# Records by id, for each collection that is looked into; None is the one that is queried.
_Found = dict["str | None", dict[Any, Any]]


class References:
    """The points that a query names, looked up in one go for each collection."""

    def __init__(self, registry: Registry, collection: Collection, roots: list[QueryNode]) -> None:
        self._registry = registry
        self._queried = collection
        self._found: _Found = {}
        self._wanted: dict[str | None, tuple[dict[PointId, None], set[str]]] = {}
        for root in roots:
            for node in root.walk():
                self._want(node)

    def look_up_elsewhere(self) -> None:
        """In other collections; before the queried one is locked, because no thread may hold two. Raises 404."""
        for name in [name for name in self._wanted if name is not None]:
            real = self._registry.real_name(name)
            if real is None:
                raise not_found(f"Not found: Collection {name} not found")
            with self._registry.collection(real).read() as shard, reading_engine():
                self._look_up(name, shard)

    def look_up_here(self, shard: edge.EdgeShard) -> None:
        """Raises 404."""
        if None in self._wanted:
            self._look_up(None, shard)

    def vectors(self, node: QueryNode, scoring: VectorScoring) -> list[RawVector]:
        """Those of the scoring's inputs. Raises 404 for a point without the vector, unless such are skipped."""
        found = [self._vector(node, given) for given in scoring.inputs]
        if not scoring.skips_missing and any(vector is None for vector in found):
            raise not_found(f'Not found: Vector with name "{node.lookup_vector}" for point not found')
        return found

    def without_named_points(self, root: QueryNode) -> FilterParts | None:
        """The root's filter, which also keeps out every point of this collection that the query or a prefetch names."""
        named: set[Any] = {point_id for node in root.walk() if self._source(node) is None for point_id in _ids(node)}
        if not named:
            return root.filter
        return merge_filters(FilterParts(must_not=[edge.HasIdCondition(named)]), root.filter)

    def _want(self, node: QueryNode) -> None:
        ids = _ids(node)
        if ids:
            wanted, names = self._wanted.setdefault(self._source(node), ({}, set()))
            wanted.update(dict.fromkeys(ids))
            names.add(node.lookup_vector)

    def _source(self, node: QueryNode) -> str | None:
        if node.lookup is None or self._registry.real_name(node.lookup.collection) == self._queried.name:
            return None
        return node.lookup.collection

    def _look_up(self, name: str | None, shard: edge.EdgeShard) -> None:
        ids, vectors = self._wanted[name]
        self._found[name] = {record.id: record for record in shard.retrieve(list(ids), False, sorted(vectors))}
        missing = next((point_id for point_id in ids if point_id not in self._found[name]), None)
        if missing is not None:
            raise not_found(f"Not found: No point with id {missing} found")

    def _vector(self, node: QueryNode, given: VectorInput) -> RawVector | None:
        if not isinstance(given, VectorOf):
            return given
        vector = self._found[self._source(node)][given.id].vector
        if type(vector) is dict:
            return vector.get(node.lookup_vector)
        return vector if node.lookup_vector == "" else None


def _ids(node: QueryNode) -> list[PointId]:
    inputs = node.scoring.inputs if isinstance(node.scoring, VectorScoring) else []
    return [given.id for given in inputs if isinstance(given, VectorOf)]
