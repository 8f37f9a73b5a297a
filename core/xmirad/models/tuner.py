"""Measures how a network runs best on this machine, in processor time, which other processes hardly disturb.

Workers of an explainer keep every core at work, so what counts is the processor time of an image, not how soon it is
there. Bits are compared on images of noise: sums in another order would show in some component of some of them.
"""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xmirad.models.artifact import GRAPH, ModelArtifact
from xmirad.models.openvino_backbone import OpenVINOBackbone, machine_kind
from xmirad.models.tuning import BATCHES, Tuning, usual, write_tuning
from xmirad.types import Float32Array

LONGEST_SECONDS = 10.0
IMAGES = 8
LEAST_ROUNDS, MOST_ROUNDS = 3, 10
WORTH = 0.95
"""Another way to run the network must take at most this share of the usual time; else it is noise."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of measuring.

    Attributes:
        tuning: What was chosen.
        milliseconds: Least processor time of an image, by way to run the network.
        hasty: Those of them that were measured too few times to be considered.
        refused: Ways that made other bits than the usual one.
    """

    tuning: Tuning
    milliseconds: dict[Tuning, float]
    hasty: tuple[Tuning, ...]
    refused: tuple[Tuning, ...]


class _Way:
    """A way to run the network, and what an image took."""

    def __init__(self, artifact: ModelArtifact, tuning: Tuning, *, threads: int) -> None:
        side = artifact.preprocessing.crop_size
        self._backbone = OpenVINOBackbone(artifact.path / GRAPH, input_size=side, threads=threads, tuning=tuning)
        self._images: Float32Array = np.random.default_rng(0).standard_normal((IMAGES, 3, side, side), np.float32)
        self.milliseconds: list[float] = []
        self.bits = self._backbone.activations(self._images).tobytes() + self.measure()

    def measure(self) -> bytes:
        """Run the network once for each image, note what one took, and return all bits."""
        began = time.process_time()
        pooled = self._backbone.pooled(self._images)
        self.milliseconds.append(1_000 * (time.process_time() - began) / IMAGES)
        return pooled.tobytes()


def tune(artifact: ModelArtifact, *, threads: int, seconds: float = LONGEST_SECONDS) -> Tuned:
    """Measure ways to run a network in turn, and keep the best beside the model.

    Args:
        artifact: The model.
        threads: How many threads the network has.
        seconds: When to begin no further run. What is measured less than three times by then is not considered.

    Raises:
        ModelCorruptError: If the graph cannot be compiled.
        BackendUnavailableError: If the model's folder cannot be written to.
    """
    end = time.monotonic() + seconds
    same, refused = _alike(artifact, threads=threads, end=end)
    for way in itertools.chain.from_iterable(itertools.repeat(tuple(same.values()), MOST_ROUNDS - 1)):
        if time.monotonic() > end:
            break
        way.measure()
    runs = {tuning: way.milliseconds for tuning, way in same.items()}
    chosen = best(runs, usual(threads))
    milliseconds = {tuning: min(some) for tuning, some in runs.items()}
    named = {f"batch {each.batch}, streams {each.streams}": round(ms, 3) for each, ms in milliseconds.items()}
    write_tuning(artifact, machine_kind(), chosen, threads=threads, milliseconds=named)
    hasty = tuple(tuning for tuning, some in runs.items() if len(some) < LEAST_ROUNDS)
    return Tuned(chosen, milliseconds, hasty, refused)


def ways(threads: int) -> Iterator[Tuning]:
    """Yield the ways to run a network that are tried, the usual one first."""
    for streams in (threads, 1) if threads > 1 else (1,):
        for batch in BATCHES:
            yield Tuning(batch, streams)


def best(milliseconds: Mapping[Tuning, Sequence[float]], otherwise: Tuning) -> Tuning:
    """Return the way whose least time is least, if it is worth leaving the usual one for, else the usual one."""
    measured = {way: min(some) for way, some in milliseconds.items() if len(some) >= LEAST_ROUNDS}
    if otherwise not in measured:
        return otherwise
    fastest = min(measured, key=lambda way: measured[way])
    return fastest if measured[fastest] <= WORTH * measured[otherwise] else otherwise


def _alike(artifact: ModelArtifact, *, threads: int, end: float) -> tuple[dict[Tuning, _Way], tuple[Tuning, ...]]:
    """Return the ways that make the bits of the usual one, and the others."""
    same: dict[Tuning, _Way] = {}
    refused: list[Tuning] = []
    for tuning in ways(threads):
        if same and time.monotonic() > end:
            break
        way = _Way(artifact, tuning, threads=threads)
        if all(way.bits == each.bits for each in same.values()):
            same[tuning] = way
        else:
            refused.append(tuning)
    return same, tuple(refused)
