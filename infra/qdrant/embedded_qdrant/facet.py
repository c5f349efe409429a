"""How many points have each value of a payload key."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .collection import Collection
from .engine_errors import reading_engine
from .filters import parse_filter
from .json_values import at_least_one, boolean, field_path, mapping, optional, required
from .reads import DEFAULT_LIMIT


class FacetRequest:
    """`{key, limit = 10, filter?, exact = false}`"""

    def __init__(self, body: object) -> None:
        fields = mapping(body, "struct FacetRequest")
        self.request = edge.FacetRequest(
            key=field_path(required(fields, "key")),
            limit=at_least_one(fields, "limit", "facet_request.limit") or DEFAULT_LIMIT,
            exact=optional(fields, "exact", boolean) or False,
            filter=parse_filter(fields.get("filter")),
        )

    def run(self, collection: Collection) -> dict[str, Any]:
        """`{hits: [{value, count}]}`, the most frequent first. Raises 400 without a suitable index."""
        with collection.read() as shard, reading_engine():
            response = shard.facet(self.request)
        return {"hits": [{"value": _shown_value(hit.value), "count": hit.count} for hit in response.hits]}


def _shown_value(value: Any) -> Any:
    return value if type(value) in (str, int, bool) else str(value)
