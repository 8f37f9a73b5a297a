"""An indexer as most write it, in plain torch: a `DataLoader` of files, an eager forward, arrays on disk.

After clip-retrieval's `clip_inference` (Beaumont, github.com/rom1504/clip-retrieval, v2.45): readers of a `DataLoader`
decode and prepare, the mapper runs the network on batches, the writer saves embeddings with numpy. Its own code needs
CLIP's weights; this is ours, with the product's model and recipe.
"""

import io
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.clock import cpu_seconds_of_processes
from benchmarks.eager_loops import network_of
from benchmarks.effort import Effort
from xmirad.imaging.preprocessing import Preprocessing, prepare
from xmirad.models.artifact import read_artifact

BATCHES = (8, 32)


@dataclass(frozen=True, slots=True)
class Division:
    """How the work is divided.

    Attributes:
        threads: Threads that run the network.
        readers: Processes that decode; with none, the process of the network does.
        batch: Images that go through the network together.
    """

    threads: int
    readers: int
    batch: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"threads {self.threads}, readers {self.readers}, batch {self.batch}"


class PlainIndexer:
    """Embeds encoded images; made to live in a process of its own."""

    def __init__(self, model: Path, folder: Path) -> None:
        """Load the model; `folder` takes the embeddings."""
        folder.mkdir(parents=True)
        artifact = read_artifact(model)
        self._network = network_of(artifact).to(memory_format=torch.channels_last)
        self._recipe = artifact.preprocessing
        self._folder = folder

    def fastest(self, images: Sequence[bytes], cores: int) -> Division:
        """Return the division of the cores that indexes these images soonest; the first one warms up and goes again."""
        some = divisions(cores)
        rates = {division: self.index(images, division).rate for division in (*some, some[0])}
        return max(rates, key=rates.__getitem__)

    def index(self, images: Sequence[bytes], division: Division) -> Effort:
        """Decode, embed and save images by readers that have started and decoded an image each."""
        torch.set_num_threads(division.threads)
        files, batches = _Files(images, self._recipe), [[0] for _ in range(max(1, division.readers))]
        loader = DataLoader(
            files, batch_sampler=batches, num_workers=division.readers, persistent_workers=division.readers > 0
        )
        for _ in loader:
            pass
        numbers = range(len(images))
        batches[:] = [list(numbers[first : first + division.batch]) for first in numbers[:: division.batch]]
        began, cpu_began = time.perf_counter(), cpu_seconds_of_processes(os.getpid())
        with torch.no_grad():
            embedded = np.concatenate([self._embed(batch) for batch in loader])
        np.save(self._folder / "embeddings.npy", embedded)
        return Effort(len(embedded), time.perf_counter() - began, cpu_seconds_of_processes(os.getpid()) - cpu_began)

    def _embed(self, batch: torch.Tensor) -> np.typing.NDArray[np.float32]:
        pooled = self._network(batch.contiguous(memory_format=torch.channels_last))[1]
        found: np.typing.NDArray[np.float32] = torch.nn.functional.normalize(pooled).numpy()
        return found


class _Files(Dataset[torch.Tensor]):
    """Encoded images, prepared one by one."""

    def __init__(self, images: Sequence[bytes], recipe: Preprocessing) -> None:
        self._images = images
        self._recipe = recipe

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> torch.Tensor:
        with Image.open(io.BytesIO(self._images[number])) as opened:
            pixels, _ = prepare(opened.convert("RGB"), self._recipe)
        return torch.from_numpy(self._recipe.normalize(pixels))


def divisions(cores: int) -> list[Division]:
    """Return what is tried: the network on all cores or one fewer, with no reader or one."""
    return [Division(*some) for some in product(sorted({max(1, cores - 1), cores}), (0, 1), BATCHES)]
