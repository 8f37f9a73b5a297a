"""Fits what `xmirad plan` counts with to measured cells.

Each cost of each index is `fixed + steps (each + component D)` with no coefficient below zero, fitted by least squares
of the relative error, so that small archives count as much as large ones.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.scale.cells import Json
from xmirad.planning.growth import Growth, Quantity, cost, effective, steps
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
        "largest_items": {
            index.value: max(cell["items"] for cell in measured_cells(document["cells"], index, Quantity.SEARCH_MS))
            for index in EdgeIndex
        },
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
            return float(built["disk_bytes"])
        case Quantity.SEARCH_MS:
            return float(asked["answers"]["plain"]["latency"]["cpu_p50"])
        case Quantity.BUILD_SECONDS:
            return float(built["upsert"]["cpu"] + built["index"]["cpu"])


COMPARED: Mapping[str, tuple[Quantity, ...]] = {
    "memory": (Quantity.OWN_BYTES, Quantity.MAPPED_BYTES),
    "disk": (Quantity.DISK_BYTES,),
    "search": (Quantity.SEARCH_MS,),
    "build": (Quantity.BUILD_SECONDS,),
}
"""What formulas are compared with: memory as a whole, since a small archive's own part drowns in the process's."""


def told_to_measured(figures: Json, quantities: Sequence[Quantity]) -> float:
    """Return what the formulas tell of a cell, as a share of what was measured."""
    index, items, size = EdgeIndex(figures["index"]), figures["items"], figures["embedding_size"]
    told = sum(cost(quantity, index, items, size) for quantity in quantities)
    return told / sum(value_of(figures, quantity) for quantity in quantities)


def measured_cells(cells: Sequence[Json], index: EdgeIndex, quantity: Quantity) -> list[Json]:
    """Return the cells in which an index decides a quantity."""
    return [
        cell
        for cell in cells
        if cell["index"] == index.value
        and "asked" in cell
        and effective(quantity, index, cell["items"], cell["embedding_size"]) is index
    ]


def fitted(cells: Sequence[Json], index: EdgeIndex, quantity: Quantity) -> dict[str, float]:
    """Return the coefficients that fit best, by name."""
    kept = measured_cells(cells, index, quantity)
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
    growth = Growth(*(float(value) for value in best))
    return {"fixed": growth.fixed, "each": growth.each, "component": growth.component}
