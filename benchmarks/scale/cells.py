"""The cells of a run, and where their figures and files lie."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xmirad.types import EdgeIndex

Json = dict[str, Any]
INDEXES = (EdgeIndex.FLAT, EdgeIndex.INT8, EdgeIndex.HNSW)
FULL = ((1_000, 1280), (10_000, 1280), (100_000, 1280), (10_000, 256), (30_000, 256), (100_000, 256), (1_000_000, 256))
QUICK = ((1_000, 1280), (2_000, 1280))


@dataclass(frozen=True, slots=True)
class Cell:
    """One archive: so many items, embeddings of this size, that index."""

    items: int
    embedding_size: int
    index: EdgeIndex

    @property
    def archive_name(self) -> str:
        """Name of the items, which all indexes share."""
        return f"{self.items}x{self.embedding_size}"

    @property
    def queries(self) -> int:
        """How many searches of each kind are measured: fewer where each takes long."""
        return 200 if self.items <= 10_000 else 100 if self.items <= 100_000 else 50

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"{self.archive_name}-{self.index.value}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run keeps things.

    Attributes:
        output: Folder of the results.
        work: Folder of what can be made again: the mixture, exact answers, the archive at work.
    """

    output: Path
    work: Path

    @property
    def mixture(self) -> Path:
        """File of the mixture."""
        return self.work / "mixture.npz"

    @property
    def fitted(self) -> Path:
        """File that says what the mixture was fitted to."""
        return self.work / "mixture.json"

    def answers(self, cell: Cell) -> Path:
        """File of the exact answers."""
        return self.work / f"answers-{cell.archive_name}.npz"

    def figures(self, cell: Cell) -> Path:
        """File of a cell's figures."""
        return self.output / "cells" / f"{cell.name}.json"

    def store(self, cell: Cell) -> Path:
        """Folder of a cell's archive."""
        return self.work / cell.name


def cells(*, quick: bool, archives: tuple[tuple[int, int], ...] | None = None) -> Iterator[Cell]:
    """Yield the cells of a run, small ones first."""
    for items, embedding_size in archives or (QUICK if quick else FULL):
        for index in INDEXES:
            yield Cell(items, embedding_size, index)


def missing(measured: Iterable[Json]) -> list[Cell]:
    """Return the cells of a full run that have no figures."""
    known = {(one["items"], one["embedding_size"], one["index"]) for one in measured if "asked" in one}
    return [cell for cell in cells(quick=False) if (cell.items, cell.embedding_size, cell.index.value) not in known]
