"""Asks a cell's archive everything, in a process of its own that did not build it."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.clock import resident_bytes
from benchmarks.scale.building import binding_of
from benchmarks.scale.cells import Cell, Places
from benchmarks.scale.mixture import load_mixture
from benchmarks.scale.population import IntArray, Population
from benchmarks.scale.questions import QUESTIONS, load_answers, query_block, recall
from xmirad.archive.edge import EdgeStore
from xmirad.archive.edge_archive import EdgeArchive
from xmirad.archive.search import SearchQuery, search_archive

WARMING = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a search on the wall, and of the processor."""

    p50: float
    p95: float
    p99: float
    cpu_p50: float
    cpu_mean: float


@dataclass(frozen=True, slots=True)
class Answered:
    """How an archive answered one kind of search.

    Attributes:
        latency: How fast.
        recall: Share of the exact ten that it found, 0 to 1.
        searched_share: Share of the archive's items that took part, on average.
        queries: How many searches.
    """

    latency: Latency
    recall: float
    searched_share: float
    queries: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes. Those of files are in the page cache: the system may take them back, and searches then wait.

    Attributes:
        own: The process's own.
        files: Of the archive's vectors and indexes.
        log: Of its write-ahead log, which is read when it is opened and not needed later.
    """

    own: int
    files: int
    log: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking an archive everything showed.

    Attributes:
        open_seconds: Time to open it.
        before: Memory before it was opened.
        opened: Memory when it was open.
        after: Memory after all searches.
        answers: By question.
    """

    open_seconds: float
    before: Memory
    opened: Memory
    after: Memory
    answers: Mapping[str, Answered]


def ask(cell: Cell, places: Places) -> Asked:
    """Open the archive and ask every question; exact answers are there already."""
    population, queries = Population(load_mixture(places.mixture), cell.embedding_size), cell.queries
    blocks = {name: query_block(population, question, queries) for name, question in QUESTIONS.items()}
    searches = {name: [QUESTIONS[name].query(block, row) for row in range(queries)] for name, block in blocks.items()}
    exact = {name: rows[:queries] for name, rows in load_answers(places.answers(cell)).items()}
    del population, blocks
    store, before = EdgeStore(places.store(cell)), memory()
    began = time.perf_counter()
    archive = store.open(binding_of(cell))
    opened = time.perf_counter() - began
    opened_memory = memory()
    answers = {name: _answered(archive, searches[name], exact[name]) for name in QUESTIONS}
    asked = Asked(opened, before, opened_memory, memory(), answers)
    store.close()
    return asked


def memory() -> Memory:
    """Return this process's memory."""
    files = {"segments": 0, "wal": 0}
    name = ""
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        field, *rest = line.split()
        if not field.endswith(":"):
            name = rest[-1]
        elif field == "Pss:":  # the engine maps a file twice
            for part in files.keys() & set(Path(name).parts):
                files[part] += 1024 * int(rest[0])
    return Memory(own=resident_bytes(os.getpid()), files=files["segments"], log=files["wal"])


def _answered(archive: EdgeArchive, searches: Sequence[SearchQuery], exact: IntArray) -> Answered:
    for search in searches[:WARMING]:
        search_archive(archive, search)
    wall, cpu, found, taking_part = [], [], [], []
    for search in searches:
        began, worked = time.perf_counter(), time.process_time()
        outcome = search_archive(archive, search)
        cpu.append(1_000 * (time.process_time() - worked))
        wall.append(1_000 * (time.perf_counter() - began))
        found.append([result.item for result in outcome.results])
        taking_part.append(outcome.searched_items)
    p50, p95, p99 = (float(value) for value in np.percentile(wall, [50, 95, 99]))
    return Answered(
        latency=Latency(p50, p95, p99, cpu_p50=float(np.median(cpu)), cpu_mean=float(np.mean(cpu))),
        recall=recall(found, exact),
        searched_share=float(np.mean(taking_part)) / archive.count(),
        queries=len(searches),
    )
