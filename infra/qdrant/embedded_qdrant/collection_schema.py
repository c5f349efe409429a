"""From the bodies that create and change collections to a CollectionConfig. What is out of range or not served is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .collection_bodies import create_body, named_vector_body, update_body
from .collection_config import HNSW_DEFAULTS, OPTIMIZER_DEFAULTS, PARAM_DEFAULTS, WAL_DEFAULTS, CollectionConfig
from .errors import invalid_body, not_served, wrong_input
from .validation import out_of_range, vector_name_error

MOST_DIMENSIONS = 65_536


def config_to_create(body: Any) -> CollectionConfig:
    """Raises 400 for a malformed body, 422 for values out of range, 501 for what is not served."""
    given = create_body(body)
    single, dense = given.get("vectors", (False, {}))
    sparse = given.get("sparse_vectors", {})
    _check_dense(dense, "vectors" if single else "vectors.?")
    _check_sparse(sparse)
    for name in ("shard_number", "replication_factor", "write_consistency_factor"):
        _check_least(given, name, 1, name)
    _check_sections(given)
    _check_names(dense if not single else {}, sparse)
    _check_unique(dense, sparse)
    _refuse_unserved(given, dense)
    return CollectionConfig(
        dense={name: _without_empty_hnsw(params) for name, params in sorted(dense.items())},
        sparse=dict(sorted(sparse.items())),
        params={**PARAM_DEFAULTS, **{name: given[name] for name in PARAM_DEFAULTS if name in given}},
        hnsw={**HNSW_DEFAULTS, **given.get("hnsw_config", {})},
        optimizer={**OPTIMIZER_DEFAULTS, **_without_auto(given.get("optimizers_config", {}))},
        wal={**WAL_DEFAULTS, **given.get("wal_config", {})},
        strict_mode=given.get("strict_mode_config"),
        metadata=given.get("metadata"),
    )


def config_to_update(config: CollectionConfig, body: Any) -> CollectionConfig:
    """The configuration with what the body changes. Raises as `config_to_create`."""
    given = read_update(body)
    dense = _updated_dense(config.dense, given.get("vectors", {}))
    sparse = _updated_sparse(config.sparse, given.get("sparse_vectors", {}))
    metadata = given.get("metadata")
    return replace(
        config,
        dense=dense,
        sparse=sparse,
        params={**config.params, **given.get("params", {})},
        hnsw={**config.hnsw, **given.get("hnsw_config", {})},
        optimizer={**config.optimizer, **_without_auto(given.get("optimizers_config", {}))},
        strict_mode={**(config.strict_mode or {}), **given["strict_mode_config"]} if "strict_mode_config" in given else config.strict_mode,
        metadata=_merged(config.metadata or {}, metadata) if metadata is not None else config.metadata,
    )


def read_update(body: Any) -> dict[str, Any]:
    """The body of an update, checked as far as it can be without its collection."""
    given = update_body(body)
    for params in given.get("vectors", {}).values():
        _check_hnsw(params.get("hnsw_config", {}), "vectors.?.hnsw_config")
    _check_sections(given)
    _check_sparse(given.get("sparse_vectors", {}))
    _refuse_unserved(given, {})
    return given


def named_vector(body: Any) -> tuple[str, dict[str, Any]]:
    """`("dense", parameters)` or `("sparse", parameters)` as CollectionConfig has them, for a vector that is added later."""
    given = named_vector_body(body)
    if "dense" in given:
        params = given["dense"]
        if not 1 <= params["size"] <= MOST_DIMENSIONS:
            raise invalid_body("dense.size", out_of_range(params["size"], 1, MOST_DIMENSIONS))
        _refuse_unserved({}, {"": params})
        return "dense", params
    params = given["sparse"]
    shown = {"modifier": params["modifier"]} if "modifier" in params else {}
    if "datatype" in params:
        shown["index"] = {"datatype": params["datatype"]}
    if params.get("datatype") == "turbo4":
        raise invalid_body("sparse.datatype", "sparse vectors do not support the `turbo4` datatype")
    return "sparse", shown


def _without_empty_hnsw(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "hnsw_config" or value}


def _without_auto(section: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value == "auto" else value for name, value in section.items()}


def _check_least(given: dict[str, Any], name: str, least: int, path: str) -> None:
    if name in given and given[name] < least:
        raise invalid_body(path, out_of_range(given[name], least))


def _check_dense(dense: dict[str, dict[str, Any]], path: str) -> None:
    for params in dense.values():
        if params["size"] > MOST_DIMENSIONS:
            raise invalid_body(f"{path}.size", out_of_range(params["size"], 1, MOST_DIMENSIONS))
        _check_hnsw(params.get("hnsw_config", {}), f"{path}.hnsw_config")


def _check_sparse(sparse: dict[str, dict[str, Any]]) -> None:
    for name, params in sparse.items():
        if params.get("index", {}).get("datatype") == "turbo4":
            raise invalid_body(f"sparse_vectors[{name}].index.datatype", "sparse vectors do not support the `turbo4` datatype")


def _check_hnsw(section: dict[str, Any], path: str) -> None:
    _check_least(section, "ef_construct", 4, f"{path}.ef_construct")
    _check_least(section, "full_scan_threshold", 10, f"{path}.full_scan_threshold")


def _check_sections(given: dict[str, Any]) -> None:
    _check_hnsw(given.get("hnsw_config", {}), "hnsw_config")
    _check_least(given.get("wal_config", {}), "wal_capacity_mb", 1, "wal_config.wal_capacity_mb")
    optimizer = given.get("optimizers_config", {})
    threshold = optimizer.get("deleted_threshold", 0.0)
    if not 0.0 <= threshold <= 1.0:
        raise invalid_body("optimizers_config.deleted_threshold", out_of_range(threshold, 0.0, 1.0))
    _check_least(optimizer, "vacuum_min_vector_number", 100, "optimizers_config.vacuum_min_vector_number")
    _check_least(optimizer, "max_segment_size", 1, "optimizers_config.max_segment_size")


def _check_names(dense: dict[str, Any], sparse: dict[str, Any]) -> None:
    for kind, names in (("dense", dense), ("sparse", sparse)):
        for name in names:
            fault = vector_name_error(name)
            if fault is not None:
                raise wrong_input(f"Invalid {kind} vector name `{name}`: {fault}")


def _check_unique(dense: dict[str, Any], sparse: dict[str, Any]) -> None:
    if "" in sparse:
        raise wrong_input("Sparse vector name cannot be empty")
    twice = next((name for name in dense if name in sparse), None)
    if twice is not None:
        raise wrong_input(f"Dense and sparse vector names must be unique - duplicate found with '{twice}'")


def _refuse_unserved(given: dict[str, Any], dense: dict[str, Any]) -> None:
    if given.get("sharding_method") == "custom":
        raise not_served("custom sharding (`sharding_method`)")
    if given.get("strict_mode_config", {}).get("enabled"):
        raise not_served("strict mode (`strict_mode_config`)")
    if any(params.get("datatype") == "turbo4" for params in dense.values()):
        raise not_served("quantisation (datatype `turbo4`)")


def _updated_dense(dense: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    updated = dict(dense)
    for name, change in changes.items():
        if name not in dense:
            raise wrong_input(f"Not existing vector name error: {name}")
        hnsw = {**dense[name].get("hnsw_config", {}), **change.get("hnsw_config", {})}
        updated[name] = {**dense[name], **change, "hnsw_config": hnsw}
        # An empty object takes the vector's own settings away.
        if change.get("hnsw_config") == {} or not hnsw:
            del updated[name]["hnsw_config"]
    return updated


def _updated_sparse(sparse: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    updated = dict(sparse)
    for name, change in changes.items():
        if name not in sparse:
            raise wrong_input(f"Not existing vector name error: {name}")
        updated[name] = {**sparse[name], **change}
        # The engine does not open a shard whose vectors were made with another modifier.
        if (updated[name].get("modifier") == "idf") != (sparse[name].get("modifier") == "idf"):
            raise not_served("another modifier for a sparse vector that exists")
        if "index" in change:
            updated[name]["index"] = {**sparse[name].get("index", {}), **change["index"]}
    return updated


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """As payloads are merged: null takes a key away, an empty object changes nothing; what is merged with nothing stays as it is."""
    if not old:
        return new
    gone = {name for name, value in new.items() if value is None}
    return {name: value for name, value in {**old, **new}.items() if name not in gone}
