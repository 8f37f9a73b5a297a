"""How the shard of an embedded archive finds the nearest items: by comparing all, by a graph, or by short codes.

| index | compares a query with | bytes an item in memory, D components | answers |
|---|---|---|---|
| FLAT | every embedding | 4 D, best in the page cache | exact |
| HNSW | some embeddings, along a graph of neighbors | 4 D and the graph | approximate |
| INT8 | every embedding's 8-bit code, then the best embeddings | D, pinned | approximate |

A graph (Malkov and Yashunin, 2016) and codes are made by `optimize()`, which freezes the process for seconds to hours:
that is why a child makes them, beside the shard that serves. Items stored since are compared one by one. Segments of
less than 10 MB of embeddings are left as they are.
"""

import json
from pathlib import Path

import qdrant_edge as edge

from xmirad.types import EdgeIndex

CONFIG = "edge_config.json"
NEIGHBORS = 16
CANDIDATES_AT_BUILD = 100
FULL_SCAN_KILOBYTES = 10_000
QUANTILE = 0.99
OVERSAMPLING = 2.0
"""How many times as many items as wanted are taken by their codes before their embeddings decide."""


def shard_config(index: EdgeIndex, embedding_size: int) -> edge.EdgeConfig:
    """Return the configuration of a shard.

    Stored embeddings are unit vectors, so the dot product is the cosine, and embeddings are read back bit by bit.
    """
    memory = edge.Memory.Cold if index is EdgeIndex.INT8 else None
    vectors = edge.EdgeVectorParams(size=embedding_size, distance=edge.Distance.Dot, memory=memory)
    return edge.EdgeConfig(
        vectors=vectors,
        max_search_threads=1,
        hnsw_config=None if index is EdgeIndex.FLAT else _graph(NEIGHBORS if index is EdgeIndex.HNSW else 0),
        quantization_config=_codes() if index is EdgeIndex.INT8 else None,
    )


def index_of(shard: Path) -> EdgeIndex:
    """Return the index that the shard in a folder was made with; one that does not say is flat."""
    try:
        config = json.loads((shard / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return EdgeIndex.FLAT
    if config.get("quantization_config"):
        return EdgeIndex.INT8
    return EdgeIndex.HNSW if config.get("hnsw_config") else EdgeIndex.FLAT


def search_params(index: EdgeIndex, *, exact: bool) -> edge.SearchParams:
    """Return how to search: exactly, which needs neither graph nor codes, or as the index allows."""
    codes = None
    if index is EdgeIndex.INT8:
        codes = edge.QuantizationSearchParams(ignore=exact, rescore=True, oversampling=OVERSAMPLING)
    return edge.SearchParams(exact=exact, quantization=codes)


def _graph(neighbors: int) -> edge.HnswIndexConfig:
    """Return the configuration of a graph; without neighbors there is none."""
    return edge.HnswIndexConfig(
        m=neighbors, ef_construct=CANDIDATES_AT_BUILD, full_scan_threshold=FULL_SCAN_KILOBYTES, max_indexing_threads=0
    )


def _codes() -> edge.ScalarQuantizationConfig:
    return edge.ScalarQuantizationConfig(type=edge.ScalarType.Int8, quantile=QUANTILE, memory=edge.Memory.Pinned)
