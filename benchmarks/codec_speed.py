"""How fast masked embeddings are encoded, read and scored, beside moving as many bytes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.figures import Better, Figure, Target
from benchmarks.run import Run
from benchmarks.stages import random_embedding
from benchmarks.workers import QUICK_STRIDE
from xmirad.explanations.chunk_format import pack, unpack
from xmirad.explanations.entries import WINDOWS_PER_CHUNK, OcclusionEntry
from xmirad.models.embedder import unit_rows
from xmirad.saliency.codec import CodedDifferences, encode, joined
from xmirad.saliency.lattice import STRIDE
from xmirad.saliency.scoring import distance_increases
from xmirad.types import Float32Array

REPEATS = (9, 3)
QUERIES = 10
MEGABYTE = 1e6
SPREAD = 0.001
"""Of made-up masked embeddings around that of the image; speed does not depend on it."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What is measured, beside what.

    Attributes:
        name: What it is.
        call: Does it.
        size_bytes: How many bytes go into it.
        baseline: What it is compared with.
        baseline_call: Does that.
    """

    name: str
    call: Callable[[], object]
    size_bytes: int
    baseline: str
    baseline_call: Callable[[], object]


def codec_speed(run: Run) -> Iterator[Figure]:
    """Compare everything that is done with an entry but forward passes; in CPU time, which others disturb least."""
    recipe = run.artifact.preprocessing
    entry = OcclusionEntry(
        site="local",
        image="0" * 64,
        model=run.artifact.digest,
        preprocessing=recipe.digest,
        size=recipe.crop_size,
        stride=run.count(STRIDE, QUICK_STRIDE),
    )
    note = f"{entry.lattice.windows} windows of {run.artifact.embedding_size}, {entry.codec}, CPU time"
    for work in _works(entry, run.artifact.embedding_size):
        ours, theirs = _in_turn(run.count(*REPEATS), work.call, work.baseline_call)
        yield Figure(
            name=work.name,
            unit="MB/s",
            values=tuple(work.size_bytes / MEGABYTE / seconds for seconds in ours),
            baseline=work.baseline,
            baseline_values=tuple(work.size_bytes / MEGABYTE / seconds for seconds in theirs),
            target=Target(Better.HIGHER),
            note=note,
        )


def _works(entry: OcclusionEntry, size: int) -> Iterator[_Work]:
    explained = random_embedding(size, seed=1)
    noise = np.random.default_rng(0).standard_normal((entry.lattice.windows, size), np.float32)
    masked = unit_rows(explained + np.float32(SPREAD) * noise)
    queries = np.stack([random_embedding(size, seed=10 + number) for number in range(QUERIES)])
    coded = joined(_encoded(masked, explained, entry))
    data = pack(entry, "", coded)
    score = partial(distance_increases, explained=explained, masked=coded)
    read = partial(unpack, entry, "", data, windows=entry.lattice.windows)
    yield _Work(
        "masked embeddings encoded",
        partial(_encoded, masked, explained, entry),
        masked.nbytes,
        "copying them",
        partial(_copy, masked, np.empty_like(masked)),
    )
    stored = np.frombuffer(data, np.uint8)
    copy = partial(_copy, stored, np.empty_like(stored))
    yield _Work("entry read, checksum included", read, len(data), "copying it", copy)
    yield _Work("entry scored for a query", partial(score, queries[:1]), len(data), "copying it", copy)
    one_by_one = partial(_one_by_one, score, queries)
    yield _Work(f"entry scored for {QUERIES} queries", partial(score, queries), len(data), "one by one", one_by_one)


def _encoded(masked: Float32Array, explained: Float32Array, entry: OcclusionEntry) -> list[CodedDifferences]:
    """Encode chunk by chunk, as workers do."""
    starts = range(0, len(masked), WINDOWS_PER_CHUNK)
    return [encode(masked[start : start + WINDOWS_PER_CHUNK], explained, entry.codec) for start in starts]


def _copy(source: np.ndarray, target: np.ndarray) -> None:
    np.copyto(target, source)


def _one_by_one(score: Callable[[Float32Array], object], queries: Float32Array) -> None:
    for query in queries:
        score(query[None])


def _in_turn(repeats: int, *calls: Callable[[], object]) -> tuple[list[float], ...]:
    """Return the CPU seconds of each call, made in turn after a first time that does not count."""
    taken: tuple[list[float], ...] = tuple([] for _ in calls)
    for _ in range(1 + repeats):
        for call, seconds in zip(calls, taken, strict=True):
            began = time.process_time()
            call()
            seconds.append(time.process_time() - began)
    return tuple(seconds[1:] for seconds in taken)
