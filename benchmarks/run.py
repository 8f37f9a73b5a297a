"""What every suite of a run is given."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.clock import seconds_of
from benchmarks.figures import Figure
from xmirad.models.artifact import ModelArtifact
from xmirad.models.embedder import Embedder, load_embedder
from xmirad.models.registry import ModelRegistry
from xmirad.settings import Settings
from xmirad.types import UInt8Array

CALIBRATION_IMAGES = 32
CALIBRATION_REPEATS = 5
REFERENCE_FORWARD_MS = 5.7
"""Milliseconds of one Lite0 forward, both cores at work, on the machine that absolute targets were set for."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks.

    Attributes:
        settings: Settings; the home is not used.
        artifact: The model.
        embedder: The model on all cores.
        forward_ms: The calibration: milliseconds of one forward with all cores at work.
        cores: How many cores this process may use.
        quick: Whether to do just enough to see that everything works.
        folder: Folder for files, emptied afterwards.
        slowed_seconds: Pause of every chunk and map that workers make, to see that a comparison finds it.
    """

    settings: Settings
    artifact: ModelArtifact
    embedder: Embedder
    forward_ms: float
    cores: int
    quick: bool
    folder: Path
    slowed_seconds: float = 0.0

    def calibrated(self) -> "Run":
        """Return the run with a calibration of this moment."""
        forward_ms = 1_000 * float(np.median(forward_seconds(self.embedder, CALIBRATION_REPEATS)))
        return replace(self, forward_ms=forward_ms)

    def count(self, usual: int, quick: int) -> int:
        """Return how many of something to do."""
        return quick if self.quick else usual

    def scaled(self, figure: float) -> float:
        """Return an absolute time as this machine, as it is now, is to be judged by it."""
        return figure * self.forward_ms / REFERENCE_FORWARD_MS


Suite = Callable[[Run], Iterator[Figure]]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def prepare(settings: Settings, folder: Path, *, quick: bool, slowed_seconds: float = 0.0) -> Run:
    """Load the model and calibrate.

    Raises:
        ModelNotFoundError: If the default model is not built.
    """
    artifact = ModelRegistry(settings.models_dir).find(settings.default_model)
    cores = usable_cores()
    embedder = load_embedder(artifact, threads=cores)
    return Run(settings, artifact, embedder, 0.0, cores, quick, folder, slowed_seconds).calibrated()


def forward_seconds(embedder: Embedder, repeats: int) -> Sequence[float]:
    """Return the seconds of one forward, from batches that keep every stream at work."""
    pixels = random_pixels(embedder.artifact, CALIBRATION_IMAGES)
    embedder.embed(pixels)
    return [seconds_of(embedder.embed, pixels) / len(pixels) for _ in range(repeats)]


def random_pixels(artifact: ModelArtifact, count: int) -> UInt8Array:
    """Return model inputs, `[count, S, S, 3]`; their content does not matter to the time."""
    side = artifact.preprocessing.crop_size
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def random_pictures(size: tuple[int, int], count: int) -> list[UInt8Array]:
    """Return pictures, uint8 RGB `[height, width, 3]` of a size `(height, width)`, the same at every call."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count)]
