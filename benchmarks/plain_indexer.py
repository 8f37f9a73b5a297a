"""An indexer as most write it, in plain torch: a `DataLoader` of files, an eager forward, arrays on disk.

After clip-retrieval's `clip_inference` (Beaumont, github.com/rom1504/clip-retrieval, v2.45): readers of a `DataLoader`
decode and prepare, the mapper runs the network on batches, the writer saves embeddings with numpy. Its own code needs
CLIP's weights; this is ours, with the product's model and recipe.
"""

import io
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.eager_loops import network_of
from benchmarks.effort import Effort
from xmirad.imaging.preprocessing import Preprocessing, prepare
from xmirad.models.artifact import read_artifact

BATCH = 32


class PlainIndexer:
    """Embeds encoded images; made to live in a process of its own."""

    def __init__(self, model: Path, folder: Path, threads: int) -> None:
        """Load the model; as many threads run the network as there are readers."""
        torch.set_num_threads(threads)
        folder.mkdir(parents=True)
        artifact = read_artifact(model)
        self._network = network_of(artifact).to(memory_format=torch.channels_last)
        self._recipe = artifact.preprocessing
        self._readers = threads
        self._folder = folder

    def index(self, images: Sequence[bytes]) -> Effort:
        """Decode, embed and save images, the start of the readers counted, since theirs is no service."""
        began, cpu_began = time.perf_counter(), _cpu_seconds()
        loader = DataLoader(_Files(images, self._recipe), batch_size=BATCH, num_workers=self._readers)
        with torch.no_grad():
            batches = [self._embed(batch) for batch in loader]
        np.save(self._folder / "embeddings.npy", np.concatenate(batches))
        return Effort(len(images), time.perf_counter() - began, _cpu_seconds() - cpu_began)

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


def _cpu_seconds() -> float:
    """Return the processor seconds of this process and of its children, those that have ended too."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
