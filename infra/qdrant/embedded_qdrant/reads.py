"""Points by id, page by page, and their number."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .answers import record_answer
from .collection import Collection
from .engine_errors import reading_engine
from .errors import ApiError, not_found, wrong_input
from .filters import parse_filter
from .ids import parse_id, shown_id
from .json_values import MOST_UNSIGNED, at_least_one, boolean, defaulted, mapping, optional, required, sequence
from .order_by import parse_order_by
from .selectors import with_payload, with_vector

DEFAULT_LIMIT = 10
_MOST_DIGITS = 64


def get_point(collection: Collection, point_id: Any) -> dict[str, Any]:
    """With payload and vectors. Raises 404."""
    with collection.read() as shard, reading_engine():
        found = shard.retrieve([point_id], True, True)
    if not found:
        raise not_found(f"Not found: Point with id {point_id} does not exists!")
    return record_answer(found[0])


class RetrieveRequest:
    """`{ids, with_payload = false, with_vector = false}`"""

    def __init__(self, body: object) -> None:
        fields = mapping(body, "struct PointRequest")
        self.ids: list[Any] = [parse_id(point_id) for point_id in sequence(required(fields, "ids"))]
        self.with_payload = with_payload(fields, default=False)
        self.with_vector = with_vector(fields, nullable=False)

    def run(self, collection: Collection) -> list[dict[str, Any]]:
        """In the order of the request, each point once, without the missing ones."""
        with collection.read() as shard, reading_engine():
            records = shard.retrieve(self.ids, self.with_payload, self.with_vector)
        return [record_answer(record) for record in records]


class ScrollRequest:
    """`{offset?, limit = 10, filter?, with_payload = true, with_vector = false, order_by?}`"""

    def __init__(self, body: object) -> None:
        fields = mapping(body, "struct ScrollRequest")
        offset = optional(fields, "offset", parse_id)
        order_by = optional(fields, "order_by", parse_order_by)
        self.paging_by_value = order_by is not None and offset is not None
        self.request = edge.ScrollRequest(
            offset=offset,
            limit=at_least_one(fields, "limit", "scroll_request.limit") or DEFAULT_LIMIT,
            filter=parse_filter(fields.get("filter")),
            with_payload=with_payload(fields, default=True),
            with_vector=with_vector(fields, nullable=False),
            order_by=order_by,
        )

    def run(self, collection: Collection) -> dict[str, Any]:
        """`{points, next_page_offset}`; the offset is null on the last page, and with order_by."""
        if self.paging_by_value:
            raise wrong_input(
                "Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` and a filter to "
                "exclude the IDs that you've already seen for the `order_by.start_from` value"
            )
        with collection.read() as shard, reading_engine():
            records, following = shard.scroll(self.request)
        return {
            "points": [record_answer(record) for record in records],
            "next_page_offset": None if following is None else shown_id(following),
        }


class CountRequest:
    """`{filter?, exact = true}`"""

    def __init__(self, body: object) -> None:
        fields = mapping(body, "struct CountRequest")
        self.request = edge.CountRequest(exact=defaulted(fields, "exact", boolean, True), filter=parse_filter(fields.get("filter")))

    def run(self, collection: Collection) -> dict[str, int]:
        with collection.read() as shard, reading_engine():
            return {"count": shard.count(self.request)}


def point_id_in_path(given: str) -> Any:
    """Raises 400. What is in digits is a number, unless it is too long for one: then it may be a UUID."""
    # A plus is no part of a UUID, but may stand before a number.
    digits = given.removeprefix("+")
    number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS else MOST_UNSIGNED + 1
    try:
        return number if number <= MOST_UNSIGNED else parse_id(given)
    except ApiError:
        raise wrong_input(f'Can not recognize "{given}" as point id') from None
