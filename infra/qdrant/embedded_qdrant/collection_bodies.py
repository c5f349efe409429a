"""What the bodies of "create collection", "update collection" and "add a vector" consist of."""

from __future__ import annotations

from typing import Any

from .collection_config import DATATYPES, DISTANCES
from .errors import not_served
from .json_structs import Struct, map_of, nonzero_u32, nonzero_u64, u32, untagged, variant
from .json_values import boolean, mapping, number, unsigned


def _quantization(given: Any) -> Any:
    raise not_served("quantisation (`quantization_config`)")


_hnsw = Struct(
    "HnswConfigDiff",
    optional={
        "m": unsigned,
        "ef_construct": unsigned,
        "full_scan_threshold": unsigned,
        "max_indexing_threads": unsigned,
        "on_disk": boolean,
        "payload_m": unsigned,
        "inline_storage": boolean,
    },
    aliases={"full_scan_threshold_kb": "full_scan_threshold"},
)
_wal = Struct("WalConfigDiff", optional={"wal_capacity_mb": unsigned, "wal_segments_ahead": unsigned, "wal_retain_closed": unsigned})
_optimizer = Struct(
    "OptimizersConfigDiff",
    optional={
        "deleted_threshold": number,
        "vacuum_min_vector_number": unsigned,
        "default_segment_number": unsigned,
        "max_segment_size": unsigned,
        "memmap_threshold": unsigned,
        "indexing_threshold": unsigned,
        "flush_interval_sec": unsigned,
        "max_optimization_threads": untagged("MaxOptimizationThreads", variant("auto"), unsigned),
        "prevent_unoptimized": boolean,
    },
    aliases={
        "max_segment_size_kb": "max_segment_size",
        "memmap_threshold_kb": "memmap_threshold",
        "indexing_threshold_kb": "indexing_threshold",
    },
)
_multivector = Struct("MultiVectorConfig", required={"comparator": variant("max_sim")})
_datatype = variant(*DATATYPES, "turbo4")
_dense = Struct(
    "VectorParams",
    required={"size": nonzero_u64, "distance": variant(*DISTANCES)},
    optional={
        "hnsw_config": _hnsw,
        "quantization_config": _quantization,
        "on_disk": boolean,
        "datatype": _datatype,
        "multivector_config": _multivector,
    },
    aliases={"quantization": "quantization_config"},
)
_sparse_index = Struct("SparseIndexParams", optional={"full_scan_threshold": unsigned, "on_disk": boolean, "datatype": _datatype})
_sparse = Struct("SparseVectorParams", optional={"index": _sparse_index, "modifier": variant("none", "idf")})
_strict_mode = Struct("StrictModeConfig", optional={"enabled": boolean})
_vectors = untagged("VectorsConfig", lambda given: {"": _dense(given)}, map_of(_dense))

create_body = Struct(
    "CreateCollection",
    optional={
        "vectors": lambda given: (type(given) is dict and "size" in given, _vectors(given)),
        "shard_number": u32,
        "sharding_method": variant("auto", "custom"),
        "replication_factor": u32,
        "write_consistency_factor": u32,
        "on_disk_payload": boolean,
        "hnsw_config": _hnsw,
        "wal_config": _wal,
        "optimizers_config": _optimizer,
        "quantization_config": _quantization,
        "sparse_vectors": map_of(_sparse),
        "strict_mode_config": _strict_mode,
        "metadata": mapping,
    },
    aliases={"optimizer_config": "optimizers_config", "quantization": "quantization_config"},
    not_null=("vectors",),
)
_dense_diff = Struct(
    "VectorParamsDiff",
    optional={"hnsw_config": _hnsw, "quantization_config": _quantization, "on_disk": boolean},
    aliases={"quantization": "quantization_config"},
)
_params_diff = Struct(
    "CollectionParamsDiff",
    optional={
        "replication_factor": nonzero_u32,
        "write_consistency_factor": nonzero_u32,
        "read_fan_out_factor": u32,
        "read_fan_out_delay_ms": unsigned,
        "on_disk_payload": boolean,
    },
)
update_body = Struct(
    "UpdateCollection",
    optional={
        "vectors": map_of(_dense_diff),
        "optimizers_config": _optimizer,
        "params": _params_diff,
        "hnsw_config": _hnsw,
        "quantization_config": _quantization,
        "sparse_vectors": map_of(_sparse),
        "strict_mode_config": _strict_mode,
        "metadata": mapping,
    },
    aliases={"optimizer_config": "optimizers_config", "quantization": "quantization_config"},
)
_named_dense = Struct(
    "DenseVectorConfig",
    required={"size": unsigned, "distance": variant(*DISTANCES)},
    optional={"multivector_config": _multivector, "datatype": _datatype},
)
_named_sparse = Struct("SparseVectorConfig", optional={"modifier": variant("none", "idf"), "datatype": _datatype})
named_vector_body = untagged(
    "VectorNameConfig",
    Struct("DenseVectorNameConfig", required={"dense": _named_dense}),
    Struct("SparseVectorNameConfig", required={"sparse": _named_sparse}),
)
