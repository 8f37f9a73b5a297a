"""An occlusion map of an image that nothing is known of, by the product's own parts."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks.effort import Effort, effort_of
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.filling import ChunkFiller
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.ports import Board
from xmirad.models.artifact import ModelArtifact, read_artifact
from xmirad.models.embedder import load_embedder
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.masking import WindowMasker, fill_for
from xmirad.saliency.method import Evidence
from xmirad.saliency.occlusion import Occlusion
from xmirad.saliency.scoring import PlainDifferences, distance_increases
from xmirad.types import Float32Array, UInt8Array

BARE_BATCH = 20


class ColdMap:
    """Fills cache entries of one image as a worker does, and scores them; made to live in a process of its own.

    Entries are told apart by their number, as if each were of another image.
    """

    def __init__(self, model: Path, pixels: UInt8Array, folder: Path, stride: int, slowed_seconds: float) -> None:
        """Load the model on one thread.

        Args:
            model: The model's folder.
            pixels: The image as the model's input, `[S, S, 3]`.
            folder: Where the blob store lies; several processes may share it.
            stride: Distance of the windows in pixels.
            slowed_seconds: Pause at every chunk and map.
        """
        self._slowed_seconds = slowed_seconds
        self._artifact = read_artifact(model)
        self._embedder = load_embedder(self._artifact, threads=1, tuned=True)
        self._stride = stride
        self._pixels = pixels
        self._normalized = self._artifact.preprocessing.normalize(pixels)
        self._explained: Float32Array = self._embedder.embed(pixels[None])[0]
        blobs = open_blob_store(str(folder))
        database = Database(f"sqlite:///{folder / 'catalog.db'}", create=True)
        self._cache = OcclusionCache(database, blobs, cast(Board, _NoBoard()))
        self._images = ExplanationImages(Catalog(database), blobs)
        self._filler = ChunkFiller(self._images, self._cache, embedder_of=lambda _model: self._embedder)

    def store(self, number: int) -> None:
        """Store the image as a query, from which an entry will be filled."""
        entry = self._entry(number)
        self._images.put_query(entry.image, model=entry.model, embedding=self._explained)
        self._images.put_query_pixels(entry.image, preprocessing=entry.preprocessing, pixels=self._pixels, picture=b"")
        self._cache.open(entry)

    def fill(self, number: int, chunks: Sequence[int]) -> Effort:
        """Compute some chunks of an entry."""
        entry = self._entry(number)
        windows = sum(len(entry.chunks[chunk]) for chunk in chunks)
        return effort_of(lambda: self._fill(entry, chunks), windows=windows)

    def bare(self, windows: int) -> Effort:
        """Run the network as often as for so many windows, and do nothing else."""
        images = np.repeat(self._normalized[None], BARE_BATCH, axis=0)
        batches = [images[: min(BARE_BATCH, windows - done)] for done in range(0, windows, BARE_BATCH)]
        return effort_of(lambda: self._forward(batches), windows=windows)

    def score(self, number: int, queries: Sequence[Float32Array]) -> Effort:
        """Make a map for each query of an entry that is complete."""
        entry = self._entry(number)
        return effort_of(lambda: self._score(entry, queries), windows=entry.lattice.windows)

    def increases(self, query: Float32Array, windows: Sequence[int]) -> Float32Array:
        """Return what windows of the usual lattice do to the distance, `[N]`; the baselines must find the same."""
        image, lattice = self._normalized, WindowLattice(size=len(self._pixels))
        masker = WindowMasker(lattice, image, fill=fill_for(image), batch_size=BARE_BATCH)
        batches = masker.batches(np.asarray(windows, np.int64))
        masked = np.concatenate([self._embedder.embed_normalized(batch) for batch in batches])
        differences = PlainDifferences(masked - self._explained)
        found: Float32Array = distance_increases(query[None], self._explained, differences)[0].astype(np.float32)
        return found

    def _entry(self, number: int) -> OcclusionEntry:
        return entry_of(self._artifact, number, stride=self._stride)

    def _fill(self, entry: OcclusionEntry, chunks: Sequence[int]) -> None:
        for chunk in chunks:
            time.sleep(self._slowed_seconds)
            if not self._filler.fill(entry, chunk):
                raise RuntimeError("a chunk was there already")

    def _forward(self, batches: Sequence[Float32Array]) -> None:
        for batch in batches:
            self._embedder.embed_normalized(batch)

    def _score(self, entry: OcclusionEntry, queries: Sequence[Float32Array]) -> None:
        for query in queries:
            time.sleep(self._slowed_seconds)
            masked = self._cache.load(entry, entry.lattice.windows)
            if masked is None:
                raise RuntimeError("a chunk is missing")
            Occlusion(entry.lattice).explain(Evidence(query), Evidence(self._explained, masked=masked))


class _NoBoard:
    """Stands for a board whose counts nobody reads."""

    def count(self, name: str, amount: int = 1) -> None:
        """Count nothing."""


def entry_of(model: ModelArtifact, number: int, *, stride: int) -> OcclusionEntry:
    """Return the entry of one of many images."""
    recipe = model.preprocessing
    return OcclusionEntry(
        site="local",
        image=f"{number:064x}",
        is_query=True,
        model=model.digest,
        preprocessing=recipe.digest,
        size=recipe.crop_size,
        stride=stride,
    )
