"""The formulas of a plan, one function each. Bytes, processor seconds and processor milliseconds throughout.

N images, embeddings of D components, W windows of an occlusion map, share w of images with a warm cache.

| what | formula |
|---|---|
| store: memory, disk, its log up to a limit | `fixed + N (each + component D)`, see `growth` |
| model inputs, embeddings, records, originals | N times what one takes on disk, whole blocks of the file system |
| occlusion cache | w N (44 + W (4 + b D)), b = 1 (INT8) or 2 (INT16) bytes |
| explanations | days x explanations a day x (levels of the lattice x 4 S^2 + 4 blocks), S = 224 pixels |
| storing an image | decode + forward + write + its original's bytes, where kept + call |
| a search by image | decode + forward + search in the store + call |
| a cold occlusion map | W forwards; a warm one none |
"""

from collections.abc import Mapping
from typing import Any

from xmirad.planning.growth import FLOAT_BYTES, Quantity, cost, measured
from xmirad.planning.request import ImageFormat, PlanRequest
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import levels

INPUT_SIDE = 224
BLOCK_BYTES = 4096
ENTRY_HEADER_BYTES = 44
SCALE_BYTES = 4
MEGABYTE = 1e6
DOCUMENTS = 4
"""Request, preview, result and fidelity of an explanation, each in a file of its own."""


def store_bytes(request: PlanRequest, quantity: Quantity) -> float:
    """Return the bytes of one copy of the vector store."""
    return cost(quantity, request.index, request.images, request.embedding_size)


def store_disk_bytes(request: PlanRequest) -> float:
    """Return the bytes on disk of one copy of the vector store, write-ahead log included."""
    return store_bytes(request, Quantity.DISK_BYTES) + store_bytes(request, Quantity.LOG_BYTES)


def cache_entry_bytes(request: PlanRequest) -> int:
    """Return the bytes of one image's complete entry of the occlusion cache."""
    component = request.codec.dtype.itemsize
    return ENTRY_HEADER_BYTES + lattice(request).windows * (SCALE_BYTES + component * request.embedding_size)


def explanation_bytes(request: PlanRequest) -> int:
    """Return the bytes of one explanation with a single map: a preview for each level but the last, and the map."""
    maps = len(levels(lattice(request)))
    return maps * FLOAT_BYTES * INPUT_SIDE**2 + DOCUMENTS * BLOCK_BYTES


def blob_bytes(request: PlanRequest) -> dict[str, float]:
    """Return the bytes on disk of everything in the blob store, by kind."""
    kind = _image(request)
    embedding = max(
        BLOCK_BYTES, kind["embedding_bytes"] * request.embedding_size / measured()["images"]["embedding_size"]
    )
    kept = request.retention_days * request.explanations_per_day
    return {
        "originals": request.images * request.original_bytes,
        "model inputs": request.images * kind["input_bytes"],
        "embeddings": request.images * embedding,
        "records": request.images * kind["record_bytes"],
        "occlusion cache": request.images * request.warm_share * cache_entry_bytes(request),
        "explanations": kept * explanation_bytes(request),
    }


def process_bytes() -> float:
    """Return the memory of a process that has the default model loaded, without any archive."""
    return float(measured()["images"]["process_bytes"])


def forward_ms(request: PlanRequest) -> float:
    """Return the milliseconds of a forward pass on one core: those asked with, else the default model's."""
    return float(_image(request)["embed_ms"]) if request.forward_ms is None else request.forward_ms


def storing_ms(request: PlanRequest) -> float:
    """Return the processor milliseconds to store an image."""
    kind = _image(request)
    original = measured()["images"]["original_ms_per_megabyte"] * request.original_bytes / MEGABYTE
    stages = float(kind["decode_ms"] + kind["write_ms"] + original)
    return stages + forward_ms(request) + storing_call_ms(request)


def search_ms(request: PlanRequest) -> float:
    """Return the processor milliseconds of a search by image."""
    in_store = cost(Quantity.SEARCH_MS, request.index, request.images, request.embedding_size)
    return float(_image(request)["decode_ms"]) + forward_ms(request) + in_store + search_call_ms(request)


def storing_call_ms(request: PlanRequest) -> float:
    """Return what gRPC, event loop, sandbox and bookkeeping add to an image that is stored, at full load."""
    return float(measured()["calls"]["storing_ms"][request.image_format.value])


def search_call_ms(request: PlanRequest) -> float:
    """Return what they add to a search by image.

    Measured with small files; larger ones are taken to add as much more as they do when they are stored.
    """
    calls = measured()["calls"]
    larger = storing_call_ms(request) - calls["storing_ms"][ImageFormat.JPEG.value]
    return float(calls["search_ms"] + max(0.0, larger))


def cold_map_seconds(request: PlanRequest) -> float:
    """Return the processor seconds of an occlusion map that nothing is cached of."""
    return lattice(request).windows * forward_ms(request) / 1_000


def lattice(request: PlanRequest) -> WindowLattice:
    """Return where the windows lie."""
    return WindowLattice(size=INPUT_SIDE, window=request.window, stride=request.stride)


def _image(request: PlanRequest) -> Mapping[str, Any]:
    kind: Mapping[str, Any] = measured()["images"]["kinds"][request.image_format.value]
    return kind
