"""`params` of a query."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from .errors import invalid_body
from .json_values import boolean, defaulted, mapping, number, optional, unsigned


def search_params(given: object) -> edge.SearchParams:
    fields = mapping(given, "struct SearchParams")
    return edge.SearchParams(
        hnsw_ef=optional(fields, "hnsw_ef", unsigned),
        exact=defaulted(fields, "exact", boolean, False),
        quantization=optional(fields, "quantization", _quantization),
        indexed_only=defaulted(fields, "indexed_only", boolean, False),
        acorn=optional(fields, "acorn", _acorn),
    )


def _quantization(given: object) -> edge.QuantizationSearchParams:
    fields = mapping(given, "struct QuantizationSearchParams")
    oversampling = optional(fields, "oversampling", number)
    if oversampling is not None and oversampling < 1.0:
        raise invalid_body("params.quantization.oversampling", f"value {oversampling} invalid, must be 1.0 or larger")
    return edge.QuantizationSearchParams(
        ignore=defaulted(fields, "ignore", boolean, False), rescore=optional(fields, "rescore", boolean), oversampling=oversampling
    )


def _acorn(given: object) -> Any:
    fields = mapping(given, "struct AcornSearchParams")
    selectivity = optional(fields, "max_selectivity", number)
    if selectivity is not None and not 0.0 <= selectivity <= 1.0:
        raise invalid_body("params.acorn.max_selectivity", f"value {selectivity} invalid, must be from 0.0 to 1.0")
    return edge.AcornSearchParams(enable=defaulted(fields, "enable", boolean, False), max_selectivity=selectivity)
