"""Fits what `xmirad plan` counts with to measured cells.

Each cost of each index is `fixed + steps (each + component D)` with no coefficient below zero, fitted by least squares
of the relative error, so that small archives count as much as large ones.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from benchmarks.scale.cells import Json
from xmirad.planning.growth import FLOAT_BYTES, Growth, Quantity, cost, effective, steps
from xmirad.types import EdgeIndex

COMMAND = "make bench-scale; python -m benchmarks.scale.publish build/scale"


def coefficients(document: Json) -> Json:
    """Return the coefficients of a run, with the command and the machine."""
    growth = {
        index.value: {quantity.value: fitted(document["cells"], index, quantity) for quantity in Quantity}
        for index in EdgeIndex
    }
    return {
        "command": COMMAND,
        "machine": document["machine"],
        "images": document["images"],
        "calls": document["calls"],
        "largest_items": {index.value: largest_items(document["cells"], index) for index in EdgeIndex},
        "growth": growth,
    }


def value_of(figures: Json, quantity: Quantity) -> float:
    """Return what a cell measured of a quantity."""
    built, asked = figures["built"], figures["asked"]
    match quantity:
        case Quantity.OWN_BYTES:
            return float(max(0, asked["after"]["own"] - asked["before"]["own"]))
        case Quantity.MAPPED_BYTES:
            return float(asked["after"]["files"])
        case Quantity.DISK_BYTES:
            return float(built["disk_bytes"] - built["log_bytes"])
        case Quantity.LOG_BYTES:
            return float(built["log_bytes"])
        case Quantity.SEARCH_MS:
            return float(asked["answers"]["plain"]["latency"]["cpu_p50"])
        case Quantity.BUILD_SECONDS:
            return float(built["upsert"]["cpu"] + built["index"]["cpu"])


COMPARED: Mapping[str, tuple[Quantity, ...]] = {
    "memory": (Quantity.OWN_BYTES, Quantity.MAPPED_BYTES),
    "disk": (Quantity.DISK_BYTES, Quantity.LOG_BYTES),
    "search": (Quantity.SEARCH_MS,),
    "build": (Quantity.BUILD_SECONDS,),
}
"""What formulas are compared with: memory as a whole, since a small archive's own part drowns in the process's."""


def total(figures: Json, quantities: Sequence[Quantity]) -> float:
    """Return what a cell measured of some quantities together."""
    return sum(value_of(figures, quantity) for quantity in quantities)


def told_to_measured(figures: Json, quantities: Sequence[Quantity]) -> float:
    """Return what the formulas tell of a cell, as a share of what was measured."""
    index, items, size = EdgeIndex(figures["index"]), figures["items"], figures["embedding_size"]
    told = sum(cost(quantity, index, items, size) for quantity in quantities)
    return told / total(figures, quantities)


def measured_cells(cells: Sequence[Json], index: EdgeIndex, quantity: Quantity) -> list[Json]:
    """Return the cells in which an index decides a quantity."""
    return [
        cell
        for cell in cells
        if cell["index"] == index.value
        and "asked" in cell
        and effective(quantity, index, cell["items"], cell["embedding_size"]) is index
    ]


def largest_items(cells: Sequence[Json], index: EdgeIndex) -> dict[str, int]:
    """Return the items of the largest archive that was searched with an index, by embedding size."""
    found: dict[str, int] = {}
    for cell in sorted(measured_cells(cells, index, Quantity.SEARCH_MS), key=lambda one: one["embedding_size"]):
        size = str(cell["embedding_size"])
        found[size] = max(found.get(size, 0), cell["items"])
    return found


def fitted(cells: Sequence[Json], index: EdgeIndex, quantity: Quantity) -> Json:
    """Return the coefficients that fit best, by name."""
    kept = measured_cells(cells, index, quantity)
    if quantity is Quantity.LOG_BYTES:
        most = max(value_of(cell, quantity) for cell in kept)
        growth = replace(_fitted([cell for cell in kept if _has_whole_log(cell)], index, quantity), most=most)
    else:
        growth = _fitted(kept, index, quantity)
    return {name: value for name, value in asdict(growth).items() if value is not None}


def _has_whole_log(cell: Json) -> bool:
    """Return whether the log still holds every embedding, so that the engine has not cut it yet."""
    return value_of(cell, Quantity.LOG_BYTES) >= float(cell["items"] * cell["embedding_size"] * FLOAT_BYTES)


def _fitted(kept: Sequence[Json], index: EdgeIndex, quantity: Quantity) -> Growth:
    counts = np.array([steps(quantity, index, cell["items"]) for cell in kept])
    sizes = np.array([cell["embedding_size"] for cell in kept], np.float64)
    values = np.array([value_of(cell, quantity) for cell in kept])
    columns = np.stack([np.ones_like(counts), counts, counts * sizes], axis=1) / values[:, None]
    best, least = np.zeros(3), np.inf
    for used in (list(some) for size in (1, 2, 3) for some in itertools.combinations(range(3), size)):
        solution = np.zeros(3)
        solution[used] = np.linalg.lstsq(columns[:, used], np.ones(len(kept)), rcond=None)[0]
        error = float(np.square(columns @ solution - 1).sum())
        if (solution >= 0).all() and error < least:
            best, least = solution, error
    fixed, each, component = (float(value) for value in best)
    return Growth(fixed, each, component, cells=len(kept))
