"""Computes chunks of the occlusion cache: the expensive part of an explanation."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xmirad.errors import InvalidRequestError, ItemNotFoundError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import WINDOWS_PER_CHUNK, OcclusionEntry
from xmirad.explanations.images import ExplanationImages
from xmirad.models.embedder import BackboneEmbedder
from xmirad.saliency.codec import encode
from xmirad.saliency.levels import IntArray, walk
from xmirad.saliency.masking import Fill, WindowMasker, fill_for
from xmirad.types import Float32Array

PREPARED_IMAGES = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What all chunks of an entry share."""

    masker: WindowMasker
    unmasked: Float32Array
    windows: IntArray

    def embedded(self, windows: IntArray, embedder: BackboneEmbedder) -> Float32Array:
        """Return the embedding of each window's copy, `[N, D]`, with one forward pass for equal copies."""
        copies, places = self.masker.distinct(windows)
        batches = [embedder.embed_normalized(batch) for batch in self.masker.batches(copies)]
        rows: Float32Array = np.concatenate([self.unmasked[None], *batches])[places + 1]
        return rows


class ChunkFiller:
    """Computes chunks, one at a time. Belongs to one thread."""

    def __init__(
        self, images: ExplanationImages, cache: OcclusionCache, *, embedder_of: Callable[[str], BackboneEmbedder]
    ) -> None:
        """Fill a cache; `embedder_of` returns the loaded model of a digest or raises ModelNotFoundError."""
        self._images = images
        self._cache = cache
        self._embedder_of = embedder_of
        self._prepared: OrderedDict[str, _Prepared] = OrderedDict()

    def fill(self, entry: OcclusionEntry, number: int) -> bool:
        """Compute a chunk unless it is there.

        Costs a forward pass for each of its windows, at most `WINDOWS_PER_CHUNK`; none for windows that change nothing.

        Returns:
            False if nothing was to be computed.

        Raises:
            InvalidRequestError: If the entry has no such chunk.
            ItemNotFoundError: If the image is gone.
            ModelNotFoundError: If the model is not here.
            EmbeddingCorruptError: If what is stored of the image cannot be used.
            BackendUnavailableError: If the blob store fails.
        """
        if not 0 <= number < len(entry.chunks):
            highest = str(len(entry.chunks) - 1)
            raise InvalidRequestError(f"chunk must be 0 to {highest}", field="chunk", metadata={"highest": highest})
        if self._cache.has(entry, number):
            return False
        self._require_entry(entry)
        embedder = self._embedder_of(entry.model)
        prepared = self._prepare(entry, embedder)
        chunk = entry.chunks[number]
        masked = prepared.embedded(prepared.windows[chunk.start : chunk.stop], embedder)
        is_stored = self._cache.put(entry, number, encode(masked, prepared.unmasked, entry.codec))
        if not is_stored:
            self._require_entry(entry)
        return is_stored

    def _require_entry(self, entry: OcclusionEntry) -> None:
        """Compute nothing for an image that was deleted meanwhile.

        Raises:
            ItemNotFoundError: If it was.
        """
        if self._cache.exists(entry.location):
            return
        self._prepared.pop(entry.location, None)
        raise ItemNotFoundError("the image was deleted meanwhile", field="item", metadata={"image": entry.image})

    def _prepare(self, entry: OcclusionEntry, embedder: BackboneEmbedder) -> _Prepared:
        prepared = self._prepared.get(entry.location)
        if prepared is None:
            prepared = self._read(entry, embedder)
            self._prepared[entry.location] = prepared
            if len(self._prepared) > PREPARED_IMAGES:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(entry.location)
        return prepared

    def _read(self, entry: OcclusionEntry, embedder: BackboneEmbedder) -> _Prepared:
        image = normalized_input(self._images, entry, embedder)
        black = None
        if entry.fill is Fill.BLACK:
            black = black_of(embedder)
        fill = fill_for(image, entry.fill, black=black)
        return _Prepared(
            masker=WindowMasker(entry.lattice, image, fill=fill, batch_size=min(embedder.at_once, WINDOWS_PER_CHUNK)),
            unmasked=self._images.embedding(entry.image, entry.model, is_query=entry.is_query),
            windows=walk(entry.lattice),
        )


def normalized_input(images: ExplanationImages, entry: OcclusionEntry, embedder: BackboneEmbedder) -> Float32Array:
    """Return an image as its model sees it, `[3, S, S]`.

    Raises:
        ItemNotFoundError: If the image is gone.
        EmbeddingCorruptError: If what is stored is of another size.
    """
    pixels = images.input(entry.image, entry.preprocessing, is_query=entry.is_query)
    normalized: Float32Array = embedder.normalized(pixels[None])[0]
    return normalized


def black_of(embedder: BackboneEmbedder) -> tuple[float, float, float]:
    """Return black after the model's normalization."""
    side = embedder.artifact.preprocessing.crop_size
    red, green, blue = embedder.normalized(np.zeros((1, side, side, 3), dtype=np.uint8))[0, :, 0, 0].tolist()
    return red, green, blue
