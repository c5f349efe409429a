"""
Queries. The engine searches and re-scores; fusions are done here, because the engine's order of ties is random.

Parts of a query without a fusion go to the engine as they are, all in one batch; what stands above a fusion is worked off from its result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from .answers import f32, scored_answer
from .collection import Collection
from .collection_config import CollectionConfig
from .engine_errors import reading_engine
from .errors import wrong_input
from .filters import FilterParts, engine_filter, merge_filters
from .fusion import distribution_based_fusion, in_stable_order, reciprocal_rank_fusion
from .json_values import MOST_UNSIGNED
from .query_request import QueryNode, QueryRequest, check_query, is_ranked_by_score
from .query_vectors import check_vector
from .references import References
from .registry import Registry
from .scoring import EngineScoring, FusionScoring, VectorScoring

# Ranked points: the engine's, or fused ones.
Points = list[Any]
Pending = Callable[[], Points]


def run_queries(registry: Registry, collection: Collection, requests: list[QueryRequest]) -> list[list[dict[str, Any]]]:
    """The scored points of each request. Raises 400 and 404 as the real server does; one bad request fails all."""
    references = References(registry, collection, [request.root for request in requests])
    references.look_up_elsewhere()
    with collection.read() as shard, reading_engine():
        references.look_up_here(shard)
        # The real server looks points up first: a missing one is said before what is wrong with the request.
        for request in requests:
            check_query(request.root)
            _check_shown_vectors(request, collection.config)
        search = _Search(shard, collection.config, references)
        pending = [search.prepare_root(request) for request in requests]
        search.run()
        return [_answers(shard, request, found()) for request, found in zip(requests, pending)]


class _Search:
    """Prepares all requests, runs them as one batch, and then works off what builds on their results."""

    def __init__(self, shard: edge.EdgeShard, config: CollectionConfig, references: References) -> None:
        self._shard = shard
        self._config = config
        self._references = references
        self._requests: list[edge.QueryRequest] = []
        self._results: list[Points] = []
        self._has_formula = False

    def prepare_root(self, request: QueryRequest) -> Pending:
        # The order of a random sample is not stable, so the real server skips nothing of it.
        root = request.root
        if _is_sample(root) and not root.prefetch:
            request.offset = 0
        # What mmr chooses depends on how many it may choose; the offset then skips some of them.
        limit = root.limit if _is_mmr(root) else min(root.limit + request.offset, MOST_UNSIGNED)
        return self._prepare(root, self._references.without_named_points(root), limit)

    def run(self) -> None:
        """Raises 400 if a formula comes upon a value that is no number: the engine then cancels and does not say why."""
        try:
            if len(self._requests) == 1:
                self._results = [self._shard.query(self._requests[0])]
            elif self._requests:
                self._results = self._shard.query_batch(edge.QueryBatchRequest(self._requests))
        except Exception as error:
            if self._has_formula and str(error).startswith("Operation cancelled"):
                raise wrong_input("Expected a number for each variable of the formula, in the payload or in the formula defaults") from None
            raise

    def _prepare(self, node: QueryNode, node_filter: FilterParts | None, limit: int) -> Pending:
        if _engine_can(node):
            at = len(self._requests)
            self._requests.append(self._engine_request(node, node_filter, limit))
            return lambda: _ordered(node, self._results[at])
        sources = [self._prepare(inner, merge_filters(node_filter, inner.filter), inner.limit) for inner in node.prefetch]
        if isinstance(node.scoring, FusionScoring):
            return lambda: _fused(node, node.scoring, [source() for source in sources])[:limit]  # type: ignore[arg-type]
        scoring = self._scoring(node)
        return lambda: self._rescored(node, scoring, [source() for source in sources], limit)

    def _rescored(self, node: QueryNode, scoring: Any, sources: list[Points], limit: int) -> Points:
        found = {point.id for source in sources for point in source}
        among = edge.Filter(must=[edge.HasIdCondition(found)])
        request = edge.QueryRequest(limit=limit, query=scoring, filter=among, score_threshold=node.score_threshold, params=node.params)
        return _ordered(node, self._shard.query(request)) if found else []

    def _engine_request(self, node: QueryNode, node_filter: FilterParts | None, limit: int) -> edge.QueryRequest:
        return edge.QueryRequest(
            limit=limit,
            query=self._scoring(node),
            prefetches=[self._engine_prefetch(inner) for inner in node.prefetch],
            filter=engine_filter(node_filter),
            score_threshold=node.score_threshold,
            params=node.params,
        )

    def _engine_prefetch(self, node: QueryNode) -> edge.Prefetch:
        return edge.Prefetch(
            limit=node.limit,
            query=self._scoring(node),
            prefetches=[self._engine_prefetch(inner) for inner in node.prefetch],
            params=node.params,
            filter=engine_filter(node.filter),
            score_threshold=node.score_threshold,
        )

    def _scoring(self, node: QueryNode) -> Any:
        scoring = node.scoring
        if isinstance(scoring, VectorScoring):
            vectors = self._references.vectors(node, scoring)
            for vector in vectors:
                if vector is not None:
                    check_vector(self._config, node.using, vector)
            return scoring.build(vectors, node.using, node.limit)
        if isinstance(scoring, EngineScoring) and isinstance(scoring.engine, edge.Formula):
            self._has_formula = True
        if isinstance(scoring, FusionScoring):
            return edge.Fusion.Rrf(scoring.k, scoring.weights) if scoring.method == "rrf" else edge.Fusion.Dbsf()
        return None if scoring is None else scoring.engine


def _check_shown_vectors(request: QueryRequest, config: CollectionConfig) -> None:
    """Raises 400. The newer queries say so only of points that they found."""
    if request.is_older and type(request.with_vector) is list:
        unknown = next((name for name in request.with_vector if name not in config.dense and name not in config.sparse), None)
        if unknown is not None:
            raise wrong_input(f"Not existing vector name error: {unknown}")


def _answers(shard: edge.EdgeShard, request: QueryRequest, points: Points) -> list[dict[str, Any]]:
    page = points[request.offset : request.offset + request.root.limit]
    if request.with_payload is False and request.with_vector is False:
        return [scored_answer(point, None) for point in page]
    # A point that was deleted meanwhile has no contents: it is left out.
    contents = {record.id: record for record in shard.retrieve([point.id for point in page], request.with_payload, request.with_vector)}
    return [scored_answer(point, contents[point.id]) for point in page if point.id in contents]


def _engine_can(node: QueryNode) -> bool:
    """A formula needs the scores of its prefetches, which only the engine can give it: their ties stay as they are."""
    if isinstance(node.scoring, EngineScoring) and isinstance(node.scoring.engine, edge.Formula):
        return True
    return not isinstance(node.scoring, FusionScoring) and all(_engine_can(inner) for inner in node.prefetch)


def _is_sample(node: QueryNode) -> bool:
    return isinstance(node.scoring, EngineScoring) and node.scoring.engine is edge.Sample.Random


def _is_mmr(node: QueryNode) -> bool:
    return isinstance(node.scoring, VectorScoring) and not node.scoring.ranked_by_score


def _ordered(node: QueryNode, points: Points) -> Points:
    return in_stable_order(points) if is_ranked_by_score(node.scoring) else points


def _fused(node: QueryNode, fusion: FusionScoring, sources: list[Points]) -> Points:
    if fusion.method == "rrf":
        points = reciprocal_rank_fusion(sources, fusion.k, fusion.weights)
    else:
        points = distribution_based_fusion(sources)
    if node.score_threshold is None:
        return points
    least = f32(node.score_threshold)
    return [point for point in points if point.score >= least]
