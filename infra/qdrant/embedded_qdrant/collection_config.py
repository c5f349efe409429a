"""What a collection was created with: kept beside its data, and echoed by its info."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import qdrant_edge as edge

DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Euclid": edge.Distance.Euclid,
    "Dot": edge.Distance.Dot,
    "Manhattan": edge.Distance.Manhattan,
}
DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}
HNSW_DEFAULTS: dict[str, Any] = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False}
PARAM_DEFAULTS: dict[str, Any] = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True}
OPTIMIZER_DEFAULTS: dict[str, Any] = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
    "prevent_unoptimized": None,
}
# The engine wants at least one vector: collections that have none are given this one, which no request can name.
_NO_VECTORS = ":none"
WAL_DEFAULTS: dict[str, Any] = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}


@dataclass
class CollectionConfig:
    """
    `dense`: parameters by vector name as they were given, "" for the unnamed one; `sparse` likewise.

    The other fields are sections of `GET /collections/{name}` `config`, complete with defaults.
    """

    dense: dict[str, dict[str, Any]]
    sparse: dict[str, dict[str, Any]]
    params: dict[str, Any] = field(default_factory=lambda: dict(PARAM_DEFAULTS))
    hnsw: dict[str, Any] = field(default_factory=lambda: dict(HNSW_DEFAULTS))
    optimizer: dict[str, Any] = field(default_factory=lambda: dict(OPTIMIZER_DEFAULTS))
    wal: dict[str, Any] = field(default_factory=lambda: dict(WAL_DEFAULTS))
    strict_mode: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The `config` section of a collection's info."""
        params: dict[str, Any] = {}
        if list(self.dense) == [""]:
            params["vectors"] = self.dense[""]
        else:
            params["vectors"] = self.dense
        params.update(self.params)
        if self.sparse:
            params["sparse_vectors"] = self.sparse
        shown: dict[str, Any] = {
            "params": params,
            "hnsw_config": self.hnsw,
            "optimizer_config": self.optimizer,
            "wal_config": self.wal,
            "quantization_config": None,
        }
        if self.strict_mode is not None:
            shown["strict_mode_config"] = self.strict_mode
        if self.metadata is not None:
            shown["metadata"] = self.metadata
        return shown

    def to_stored(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_stored(stored: dict[str, Any]) -> CollectionConfig:
        return CollectionConfig(**stored)

    def points_worth_indexing(self) -> int | None:
        """How many points are as much as `indexing_threshold` KiB of dense vectors; None: never to be indexed."""
        bytes_each: int = 4 * sum(params["size"] for params in self.dense.values())
        threshold: int | None = self.optimizer["indexing_threshold"]
        if bytes_each == 0 or not threshold or self.optimizer["max_optimization_threads"] == 0:
            return None
        return max(1, threshold * 1024 // bytes_each)

    def to_engine(self) -> edge.EdgeConfig:
        sparse = {name: _sparse_params(given) for name, given in self.sparse.items()}
        if not self.dense and not sparse:
            sparse = {_NO_VECTORS: edge.EdgeSparseVectorParams()}
        return edge.EdgeConfig(
            vectors={name: _dense_params(given, self.hnsw) for name, given in self.dense.items()} or None,
            sparse_vectors=sparse or None,
            on_disk_payload=self.params.get("on_disk_payload", True),
            hnsw_config=_hnsw(self.hnsw),
            optimizers=_optimizers(self.optimizer),
            # One pool for each collection: more threads would cost memory in every idle one.
            max_search_threads=2,
        )


def _hnsw(section: dict[str, Any]) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(
        m=section["m"],
        ef_construct=section["ef_construct"],
        full_scan_threshold=section["full_scan_threshold"],
        max_indexing_threads=section.get("max_indexing_threads") or 0,
        on_disk=section.get("on_disk"),
        payload_m=section.get("payload_m"),
    )


def _dense_params(given: dict[str, Any], hnsw: dict[str, Any]) -> edge.EdgeVectorParams:
    own_hnsw = given.get("hnsw_config")
    return edge.EdgeVectorParams(
        size=given["size"],
        distance=DISTANCES[given["distance"]],
        on_disk=given.get("on_disk"),
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if given.get("multivector_config") else None,
        datatype=DATATYPES[given["datatype"]] if given.get("datatype") else None,
        hnsw_config=_hnsw({**hnsw, **own_hnsw}) if own_hnsw else None,
    )


def _sparse_params(given: dict[str, Any]) -> edge.EdgeSparseVectorParams:
    index = given.get("index") or {}
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=index.get("full_scan_threshold"),
        on_disk=index.get("on_disk"),
        modifier=edge.Modifier.Idf if given.get("modifier") == "idf" else None,
        datatype=DATATYPES[index["datatype"]] if index.get("datatype") else None,
    )


def _optimizers(section: dict[str, Any]) -> edge.EdgeOptimizersConfig:
    return edge.EdgeOptimizersConfig(
        deleted_threshold=section.get("deleted_threshold"),
        vacuum_min_vector_number=section.get("vacuum_min_vector_number"),
        default_segment_number=section.get("default_segment_number") or None,
        max_segment_size=section.get("max_segment_size"),
        indexing_threshold=section.get("indexing_threshold"),
    )


def engine_dense_operation(name: str, given: dict[str, Any]) -> edge.UpdateOperation:
    """Adds a dense vector to a collection that already has points."""
    multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if given.get("multivector_config") else None
    datatype = DATATYPES[given["datatype"]] if given.get("datatype") else None
    return edge.UpdateOperation.create_dense_vector(name, given["size"], DISTANCES[given["distance"]], multi, datatype)


def engine_no_vectors_operation() -> edge.UpdateOperation:
    """To come before the last vector is deleted."""
    return edge.UpdateOperation.create_sparse_vector(_NO_VECTORS, None, None)


def engine_sparse_operation(name: str, given: dict[str, Any]) -> edge.UpdateOperation:
    datatype = (given.get("index") or {}).get("datatype")
    modifier = edge.Modifier.Idf if given.get("modifier") == "idf" else None
    return edge.UpdateOperation.create_sparse_vector(name, modifier, DATATYPES[datatype] if datatype else None)
