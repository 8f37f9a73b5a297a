"""Puts the costs together: nodes, workers, hours, and what drives them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.planning import costs
from xmirad.planning.growth import Quantity, cost, effective, growth, measured
from xmirad.planning.request import PlanRequest

MEMORY_USED = 0.8
"""Share of a node's memory to plan with; beyond it the page cache begins to fall away at once."""
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Driver:
    """One cause of cost.

    Attributes:
        name: What it is.
        resource: `memory`, `disk` or `cores`.
        amount: Bytes or cores.
        nodes: What share of one node's resource that is; the unit in which drivers are compared.
    """

    name: str
    resource: str
    amount: float
    nodes: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What an archive will cost.

    Attributes:
        request: What was asked.
        memory_bytes: Memory of all processes, by part.
        disk_bytes: Disk of everything, by part.
        search_cores: Cores for searches at the peak.
        indexing_cores: Cores for the images of a day, spread over the day.
        explainers: Explainer processes of one thread each.
        nodes: Nodes for everything.
        index_hours: Hours to store all images on all cores of the nodes.
        index_hours_per_day: Hours a day that one core works on new images.
        build_hours: Hours to rebuild the vector store on one core.
        search_ms: Processor milliseconds of a search by image, of which `store_ms` in the store and `call_ms` in gRPC,
            event loop and sandbox.
        store_ms: See `search_ms`.
        call_ms: See `search_ms`.
        cold_map_seconds: Processor seconds of a map that nothing is cached of.
        drivers: Causes of cost, the largest first.
        notes: What else must be known.
    """

    request: PlanRequest
    memory_bytes: Mapping[str, float]
    disk_bytes: Mapping[str, float]
    search_cores: float
    indexing_cores: float
    explainers: int
    nodes: int
    index_hours: float
    index_hours_per_day: float
    build_hours: float
    search_ms: float
    store_ms: float
    call_ms: float
    cold_map_seconds: float
    drivers: tuple[Driver, ...]
    notes: tuple[str, ...]


def make_plan(request: PlanRequest) -> Plan:
    """Return what an archive will cost, by the formulas of `costs`."""
    explaining_cores = _explaining_cores(request)
    memory = _memory(request, explainers=math.ceil(explaining_cores))
    disk = {
        "vector store": request.replicas * costs.store_disk_bytes(request),
        **costs.blob_bytes(request),
    }
    storing = costs.storing_ms(request) / 1_000
    search_cores = request.searches_per_second * costs.search_ms(request) / 1_000 / request.utilization
    indexing_cores = request.images_per_day * storing / DAY_SECONDS / request.utilization
    cores = {"searches": search_cores, "indexing": indexing_cores, "explanations": explaining_cores}
    drivers = _drivers(request, memory, disk, cores)
    nodes = _nodes(request, drivers)
    return Plan(
        request=request,
        memory_bytes=memory,
        disk_bytes=disk,
        search_cores=search_cores,
        indexing_cores=indexing_cores,
        explainers=math.ceil(explaining_cores),
        nodes=nodes,
        index_hours=request.images * storing / (nodes * request.node_cores) / 3_600,
        index_hours_per_day=request.images_per_day * storing / 3_600,
        build_hours=cost(Quantity.BUILD_SECONDS, request.index, request.images, request.embedding_size) / 3_600,
        search_ms=costs.search_ms(request),
        store_ms=cost(Quantity.SEARCH_MS, request.index, request.images, request.embedding_size),
        call_ms=costs.search_call_ms(request),
        cold_map_seconds=costs.cold_map_seconds(request),
        drivers=drivers,
        notes=_notes(request, nodes),
    )


def _memory(request: PlanRequest, *, explainers: int) -> dict[str, float]:
    own, mapped = (costs.store_bytes(request, part) for part in (Quantity.OWN_BYTES, Quantity.MAPPED_BYTES))
    return {
        "vector store": request.replicas * own,
        "vector store, mapped files": request.replicas * mapped,
        "retrieval service": request.replicas * costs.process_bytes(),
        "explainers": explainers * costs.process_bytes(),
    }


def _explaining_cores(request: PlanRequest) -> float:
    """Return the cores for the maps of the busiest hour; of warm images' maps none is cold."""
    cold = request.explanations_per_day * (1 - request.warm_share)
    return cold * costs.cold_map_seconds(request) * request.peak / DAY_SECONDS / request.utilization


def _drivers(
    request: PlanRequest, memory: Mapping[str, float], disk: Mapping[str, float], cores: Mapping[str, float]
) -> tuple[Driver, ...]:
    of_a_node = {
        "memory": (memory, request.node_memory_bytes * MEMORY_USED),
        "disk": (disk, request.node_disk_bytes),
        "cores": (cores, float(request.node_cores)),
    }
    found = [
        Driver(name, resource, amount, amount / whole)
        for resource, (parts, whole) in of_a_node.items()
        for name, amount in parts.items()
        if amount > 0
    ]
    return tuple(sorted(found, key=lambda driver: -driver.nodes))


def _nodes(request: PlanRequest, drivers: tuple[Driver, ...]) -> int:
    needed = (sum(one.nodes for one in drivers if one.resource == resource) for resource in ("memory", "disk", "cores"))
    return max(request.replicas, *(math.ceil(nodes) for nodes in needed))


def _notes(request: PlanRequest, nodes: int) -> tuple[str, ...]:
    notes = []
    if nodes > 1:
        notes.append("more than one node: a Qdrant server (store.kind = qdrant) instead of the embedded store")
    if effective(Quantity.SEARCH_MS, request.index, request.images, request.embedding_size) is not request.index:
        notes.append(f"so few embeddings are left flat: {request.index} would gain nothing")
    cells = growth(Quantity.SEARCH_MS, request.index).cells
    notes.append(f"{request.index}: search times are fitted to {cells} measured archives")
    largest = measured()["largest_items"][request.index.value]
    if all(items < request.images or int(size) < request.embedding_size for size, items in largest.items()):
        limits = " and ".join(f"{items:,} items of {size} components" for size, items in largest.items())
        notes.append(f"{request.index} was measured up to {limits}; beyond that it is extrapolated")
    if request.original_bytes == 0:
        notes.append("originals are referred to, not kept")
    return tuple(notes)
