"""How a cost of the embedded store grows with the archive: measured coefficients, and the formula they belong to."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from xmirad.types import EdgeIndex

COEFFICIENTS = "coefficients.json"
FLOAT_BYTES = 4
SMALLEST_INDEXED_BYTES = 10_000 * 1024
"""Segments with less of embeddings are left flat, whatever index is asked for."""
SMALLEST_WALKED_BYTES = 12_000 * 1024
"""A graph is left aside where fewer than the 10,000 KiB pass a search's filter; each has one, its site's."""


class Quantity(StrEnum):
    """What grows."""

    OWN_BYTES = "own_bytes"
    MAPPED_BYTES = "mapped_bytes"
    DISK_BYTES = "disk_bytes"
    LOG_BYTES = "log_bytes"
    SEARCH_MS = "search_ms"
    BUILD_SECONDS = "build_seconds"


@dataclass(frozen=True, slots=True)
class Growth:
    """`fixed + steps (each + component D)` for embeddings of D components; what a step is, `steps` says.

    Attributes:
        fixed: Cost of an empty archive.
        each: Cost of a step.
        component: Cost of a step and component.
        cells: To how many measured archives the coefficients were fitted.
        most: Where the cost stops growing, in its own unit; None where it does not.
    """

    fixed: float
    each: float
    component: float
    cells: int
    most: float | None = None

    def at(self, steps: float, embedding_size: int) -> float:
        """Return the cost, in the quantity's unit."""
        found = self.fixed + steps * (self.each + self.component * embedding_size)
        return found if self.most is None else min(found, self.most)


def steps(quantity: Quantity, index: EdgeIndex, items: int) -> float:
    """Return what a cost is proportional to.

    N items for bytes, for building without a graph and for searches that compare every item; the root of N for a search
    along a graph, and N times it for building one. Comparisons grow with log N only (Malkov and Yashunin, 2016, section
    4.2), but each costs more the less of the embeddings the processor's caches hold: this is what was measured.
    """
    if index is not EdgeIndex.HNSW or quantity not in {Quantity.SEARCH_MS, Quantity.BUILD_SECONDS}:
        return float(items)
    root = math.sqrt(items)
    return root if quantity is Quantity.SEARCH_MS else items * root


def effective(quantity: Quantity, index: EdgeIndex, items: int, embedding_size: int) -> EdgeIndex:
    """Return the index that decides a cost of an archive of that size."""
    is_walk = index is EdgeIndex.HNSW and quantity is Quantity.SEARCH_MS
    smallest = SMALLEST_WALKED_BYTES if is_walk else SMALLEST_INDEXED_BYTES
    return EdgeIndex.FLAT if items * embedding_size * FLOAT_BYTES < smallest else index


def cost(quantity: Quantity, index: EdgeIndex, items: int, embedding_size: int) -> float:
    """Return a cost of an archive in the embedded store.

    Bytes are those of the process's own memory, of the files that it maps and searches use, of the disk without the
    write-ahead log, or of that log, which the engine cuts off once its segments are written; SEARCH_MS
    are processor milliseconds of one search for ten results, BUILD_SECONDS processor seconds that making the index
    again spends in the store.
    """
    made = effective(quantity, index, items, embedding_size)
    return growth(quantity, made).at(steps(quantity, made, items), embedding_size)


def growth(quantity: Quantity, index: EdgeIndex) -> Growth:
    """Return the measured coefficients of a quantity."""
    return Growth(**measured()["growth"][index.value][quantity.value])


@cache
def measured() -> Mapping[str, Any]:
    """Return everything that was measured, with the command and the machine."""
    document: dict[str, Any] = json.loads((files("xmirad.planning") / COEFFICIENTS).read_text("utf-8"))
    return document
