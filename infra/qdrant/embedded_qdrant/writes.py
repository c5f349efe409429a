"""Operations on points: checked against their collection, and applied."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import qdrant_edge as edge

from .collection import Collection
from .collection_config import CollectionConfig
from .engine_errors import reading_engine
from .errors import ApiError, bad_request, not_found, wrong_input
from .vectors import PointVectors, check_dimensions, misfit

log = logging.getLogger("embedded_qdrant")

_MISSING_POINT = "No point with id "


@dataclass(slots=True)
class Write:
    """
    One operation, valid as far as that can be told without its collection.

    `points`: how many it is about, 1 if that is not known.
    `checked_at_once`: wrong dimensions are refused also when nobody waits for the operation to be applied.
    """

    operations: list[edge.UpdateOperation]
    vectors: Iterable[PointVectors] = ()
    vector_names: Iterable[str] = ()
    points: int = 1
    checked_at_once: bool = False
    if_nothing: str = "Empty update request"


def run_write(collection: Collection, write: Write, *, wait: bool) -> dict[str, Any]:
    """
    Applies it and returns the answer's result.

    What the real server finds only while it applies an operation is an error for those who wait, for the others a line in the log.
    """
    if not write.operations:
        raise bad_request(f"Bad request: {write.if_nothing}")
    number = 0
    with collection.write():
        if write.checked_at_once:
            for vectors in write.vectors:
                check_dimensions(vectors, collection.config)
        try:
            _check_fit(write, collection.config)
            for operation in write.operations:
                number = _apply(collection, operation, write.points)
        except ApiError as error:
            if wait:
                raise
            log.warning("an operation on %s that was acknowledged could not be applied: %s", collection.name, error.message)
            # It has a number all the same.
            number = collection.apply(edge.UpdateOperation.delete_points([]))
    return {"operation_id": number, "status": "completed" if wait else "acknowledged"}


def _check_fit(write: Write, config: CollectionConfig) -> None:
    for vectors in write.vectors:
        fault = misfit(vectors, config)
        if fault is not None:
            raise fault
        if not write.checked_at_once:
            check_dimensions(vectors, config)
    for name in write.vector_names:
        if name not in config.dense and name not in config.sparse:
            raise wrong_input(f"Not existing vector name error: {name}")


def _apply(collection: Collection, operation: edge.UpdateOperation, points: int) -> int:
    with reading_engine():
        try:
            return collection.apply(operation, points)
        except Exception as error:
            message = str(error)
            if message.startswith(_MISSING_POINT):
                raise not_found(f"Not found: {message} found") from None
            raise
