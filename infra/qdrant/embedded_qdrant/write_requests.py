"""Operations on points, read from a request's JSON and validated as far as that can be done without their collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from .errors import ApiError, invalid_body, malformed_body
from .filters import parse_filter
from .ids import PointId, parse_id
from .json_structs import Struct, list_of, no_variant, untagged, variant
from .json_values import field_path, mapping, sequence, text
from .nesting import check_nesting
from .vectors import PointVectors, is_empty, read_batch_vectors, read_point_vectors
from .writes import Write

_MODES = {"upsert": None, "insert_only": edge.UpdateMode.InsertOnly, "update_only": edge.UpdateMode.UpdateOnly}
ByIds = Callable[[Any], edge.UpdateOperation]
ByFilter = Callable[[edge.Filter], edge.UpdateOperation]


def read_upsert(body: Any, path: str = "") -> Write:
    """`path`: what stands before a field's name in errors, such as `operations[0].upsert.`."""
    fields = body if type(body) is dict else {}
    if "batch" in fields:
        points, vectors = _batch_points(fields["batch"], path)
    elif "points" in fields:
        points, vectors = _listed_points(fields["points"], path)
    else:
        raise malformed_body("Invalid PointInsertOperations format")
    given = _conditions(fields)
    mode = _MODES[given.get("update_mode", "upsert")]
    operation = edge.UpdateOperation.upsert_points(points, given.get("update_filter"), mode)
    return Write([operation] if points else [], vectors, points=len(points), checked_at_once=True)


def read_delete(body: Any, path: str = "") -> Write:
    return _of_selected(body, edge.UpdateOperation.delete_points, edge.UpdateOperation.delete_points_by_filter)


def read_clear_payload(body: Any, path: str = "") -> Write:
    return _of_selected(body, edge.UpdateOperation.clear_payload, edge.UpdateOperation.clear_payload_by_filter)


def read_set_payload(body: Any, path: str = "") -> Write:
    given = _require_selection(_set_payload(body))
    payload, key = given["payload"], given.get("key")
    return _of_given(
        given,
        lambda ids: edge.UpdateOperation.set_payload(ids, payload, key),
        lambda condition: edge.UpdateOperation.set_payload_by_filter(condition, payload, key),
    )


def read_overwrite_payload(body: Any, path: str = "") -> Write:
    # The real server takes `key` here and does not heed it.
    given = _require_selection(_set_payload(body))
    payload = given["payload"]
    return _of_given(
        given,
        lambda ids: edge.UpdateOperation.overwrite_payload(ids, payload),
        lambda condition: edge.UpdateOperation.overwrite_payload_by_filter(condition, payload),
    )


def read_delete_payload(body: Any, path: str = "") -> Write:
    given = _require_selection(_delete_payload(body))
    keys = given["keys"]
    return _of_given(
        given,
        lambda ids: edge.UpdateOperation.delete_payload(ids, keys),
        lambda condition: edge.UpdateOperation.delete_payload_by_filter(condition, keys),
    )


def read_update_vectors(body: Any, path: str = "") -> Write:
    given = _update_vectors(body)
    points, vectors = [], []
    for place, entry in enumerate(given["points"]):
        where = f"{path}points[{place}].vector"
        point_id, vector = _id_and_vector(entry, "PointVectors")
        if vector == [] or vector == {}:
            raise invalid_body(where, "must specify vectors to update for point")
        read = read_point_vectors(vector, where)
        if is_empty(read):
            raise invalid_body(where, "must specify vectors to update for point")
        points.append(edge.PointVectors(point_id, read))
        vectors.append(read)
    if not points:
        raise invalid_body(f"{path}points", "must specify points to update")
    return Write([edge.UpdateOperation.update_vectors(points, given.get("update_filter"))], vectors, points=len(points))


def read_delete_vectors(body: Any, path: str = "") -> Write:
    given = _delete_vectors(body)
    names = list(dict.fromkeys(given["vector"]))
    if not names:
        raise invalid_body(f"{path}vector", "must specify vector names to delete")
    operations = []
    if "filter" in given:
        operations.append(edge.UpdateOperation.delete_vectors_by_filter(given["filter"], names))
    if given.get("points"):
        operations.append(edge.UpdateOperation.delete_vectors(given["points"], names))
    nothing = "Empty update request" if "points" in given else "No filter or points provided"
    return Write(operations, vector_names=names, if_nothing=nothing)


def read_batch(body: Any) -> list[Write]:
    """The operations of `/points/batch`, in order."""
    given = _batch(body)
    return [_one_of_batch(entry, f"operations[{place}].") for place, entry in enumerate(given["operations"])]


# In the order in which the real server tries them.
_BATCHED: dict[str, Callable[[Any, str], Write]] = {
    "upsert": read_upsert,
    "delete": read_delete,
    "set_payload": read_set_payload,
    "overwrite_payload": read_overwrite_payload,
    "delete_payload": read_delete_payload,
    "clear_payload": read_clear_payload,
    "update_vectors": read_update_vectors,
    "delete_vectors": read_delete_vectors,
}


def _one_of_batch(entry: Any, path: str) -> Write:
    for name, read in _BATCHED.items():
        if type(entry) is dict and name in entry:
            try:
                return read(entry[name], f"{path}{name}.")
            except ApiError as error:
                if error.status != 400:
                    raise
    raise no_variant("UpdateOperation")


def _payload(given: Any) -> dict[str, Any]:
    payload = mapping(given)
    check_nesting(payload)
    return payload


def _filter(given: Any) -> edge.Filter:
    check_nesting(given)
    return parse_filter(mapping(given, "struct Filter")) or edge.Filter()


_conditions = Struct("PointsList", optional={"update_filter": _filter, "update_mode": variant(*_MODES)})
_ids = list_of(parse_id)
_selector = untagged(
    "PointsSelector",
    Struct("PointIdsList", required={"points": _ids}),
    Struct("FilterSelector", required={"filter": _filter}),
)
_set_payload = Struct("SetPayload", required={"payload": _payload}, optional={"points": _ids, "filter": _filter, "key": field_path})
_delete_payload = Struct("DeletePayload", required={"keys": list_of(field_path)}, optional={"points": _ids, "filter": _filter})
_update_vectors = Struct("UpdateVectors", required={"points": sequence}, optional={"update_filter": _filter})
_delete_vectors = Struct(
    "DeleteVectors",
    required={"vector": list_of(text)},
    optional={"points": _ids, "filter": _filter},
    aliases={"vectors": "vector"},
)
_batch = Struct("UpdateOperations", required={"operations": sequence})
_points_batch = Struct(
    "Batch",
    required={"ids": _ids, "vectors": lambda given: given},
    optional={"payloads": list_of(lambda given: None if given is None else _payload(given))},
)


def _of_selected(body: Any, by_ids: ByIds, by_filter: ByFilter) -> Write:
    return _of_given(_selector(body), by_ids, by_filter)


def _of_given(given: dict[str, Any], by_ids: ByIds, by_filter: ByFilter) -> Write:
    """Points win over a filter."""
    if "points" not in given:
        return Write([by_filter(given["filter"])])
    ids = given["points"]
    return Write([by_ids(ids)] if ids else [], points=len(ids))


def _require_selection(given: dict[str, Any]) -> dict[str, Any]:
    if "points" not in given and "filter" not in given:
        raise malformed_body("Either list of point ids or filter must be provided")
    return given


def _listed_points(given: Any, path: str) -> tuple[list[edge.Point], list[PointVectors]]:
    points, vectors = [], []
    for place, entry in enumerate(sequence(given)):
        point_id, vector = _id_and_vector(entry, "PointStruct")
        payload = entry.get("payload")
        read = read_point_vectors(vector, f"{path}points[{place}].vector")
        points.append(_point(point_id, read, None if payload is None else _payload(payload)))
        vectors.append(read)
    return points, vectors


def _batch_points(given: Any, path: str) -> tuple[list[edge.Point], list[PointVectors]]:
    batch = _points_batch(given)
    ids = batch["ids"]
    vectors = read_batch_vectors(batch["vectors"], len(ids), f"{path}batch")
    payloads = batch.get("payloads") or [None] * len(ids)
    if len(payloads) != len(ids):
        raise invalid_body(f"{path}batch.batch", f"number of ids and payloads must be equal ({len(ids)} != {len(payloads)})")
    return [_point(*parts) for parts in zip(ids, vectors, payloads, strict=True)], vectors


def _id_and_vector(entry: Any, struct: str) -> tuple[PointId, Any]:
    fields = mapping(entry, f"struct {struct}")
    if "id" not in fields:
        raise malformed_body("missing field `id`")
    point_id = parse_id(fields["id"])
    if "vector" in fields:
        return point_id, fields["vector"]
    if "vectors" in fields:
        return point_id, fields["vectors"]
    raise malformed_body("missing field `vector`")


def _point(point_id: PointId, vectors: PointVectors, payload: dict[str, Any] | None) -> edge.Point:
    try:
        return edge.Point(point_id, vectors, payload)
    except ValueError:
        # A number such as 1e999, which no float holds.
        raise malformed_body("number out of range") from None
