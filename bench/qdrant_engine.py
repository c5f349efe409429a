"""The baseline of `npm run bench qdrant`: the same points and queries on the engine itself, in one process, without REST."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp

import qdrant_edge as edge

BATCH = 200


def main(data: Path) -> None:
    shard = edge.EdgeShard.create(
        mkdtemp(dir=data),
        edge.EdgeConfig(
            vectors={"dense": edge.EdgeVectorParams(size=384, distance=edge.Distance.Cosine)},
            sparse_vectors={"sparse": edge.EdgeSparseVectorParams()},
        ),
    )
    for name, kind in (("project", "Keyword"), ("born", "Integer"), ("died", "Integer")):
        shard.update(edge.UpdateOperation.create_field_index(name, getattr(edge.PayloadSchemaType, kind)))
    # Reading JSON is not counted: the engine gets its points as objects.
    seconds = 0.0
    with open(data / "points.jsonl") as lines:
        while batch := [as_point(line) for line in islice(lines, BATCH)]:
            since = time.perf_counter()
            shard.update(edge.UpdateOperation.upsert_points(batch))
            seconds += time.perf_counter() - since
    shard.optimize()
    times = [timed(shard, as_query(line)) for line in open(data / "queries.jsonl")]
    shard.close()
    json.dump({"upsert_seconds": seconds, "query_ms": times}, sys.stdout)


def as_point(line: str) -> edge.Point:
    row = json.loads(line)
    sparse = row["vector"]["sparse"]
    vector = {"dense": row["vector"]["dense"], "sparse": edge.SparseVector(sparse["indices"], sparse["values"])}
    return edge.Point(row["id"], vector, row["payload"])


def as_query(line: str) -> edge.QueryRequest:
    row = json.loads(line)
    sparse = edge.SparseVector(row["sparse"]["indices"], row["sparse"]["values"])
    alive = edge.Filter(
        must=[
            edge.FieldCondition("project", match=edge.MatchValue(row["project"])),
            edge.FieldCondition("born", range=edge.RangeFloat(lte=row["generation"])),
            edge.FieldCondition("died", range=edge.RangeFloat(gt=row["generation"])),
        ]
    )

    def prefetch(query: edge.Query) -> edge.Prefetch:
        return edge.Prefetch(limit=50, query=query, filter=alive)

    return edge.QueryRequest(
        limit=10,
        prefetches=[
            prefetch(edge.Query.Nearest(row["dense"], using="dense")),
            prefetch(edge.Query.Nearest(sparse, using="sparse")),
        ],
        query=edge.Fusion.Rrf(2),
        with_payload=True,
    )


def timed(shard: edge.EdgeShard, request: edge.QueryRequest) -> float:
    since = time.perf_counter()
    shard.query(request)
    return (time.perf_counter() - since) * 1000


main(Path(sys.argv[1]))
