"""A chunk costs one forward pass for each copy that differs, and has the bytes that passes for all would give."""

import numpy as np
import pytest

from support.explaining import MODEL, PREPROCESSING, SIZE, World
from support.records import item_record
from support.saliency import slow_masked, unit
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.filling import ChunkFiller
from xmirad.saliency.codec import encode
from xmirad.saliency.levels import walk
from xmirad.saliency.masking import Fill
from xmirad.types import Float32Array, UInt8Array

IMAGE = "c" * 64


class CountingEmbedder:
    """A network of one random layer that counts its passes."""

    at_once = 4

    def __init__(self) -> None:
        self.passes = 0
        self._weights = np.random.default_rng(0).standard_normal((16, 3 * SIZE * SIZE)).astype(np.float32)
        self.artifact = self
        self.preprocessing = self
        self.crop_size = SIZE

    def normalized(self, pixels: UInt8Array) -> Float32Array:
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 1), dtype=np.float32) - np.float32(10)

    def embed_normalized(self, normalized: Float32Array) -> Float32Array:
        self.passes += len(normalized)
        return unit(np.stack([self._weights @ image.ravel() for image in normalized]))


def picture(*, empty: bool) -> UInt8Array:
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    if not empty:
        pixels[12:20, 10:24] = np.random.default_rng(1).integers(1, 256, (8, 14, 3))
    return pixels


@pytest.mark.parametrize(("empty", "fill"), [(True, Fill.BLACK), (False, Fill.BLACK), (False, Fill.ZERO)])
def test_equal_copies_are_computed_once_and_unchanged_ones_not_at_all(*, empty: bool, fill: Fill) -> None:
    world, embedder = World(), CountingEmbedder()
    pixels = picture(empty=empty)
    image = embedder.normalized(pixels[None])[0]
    unmasked = embedder.embed_normalized(image[None])[0]
    put = ImageBlobs(world.database, world.blobs).put([NewBlob.input(IMAGE, PREPROCESSING, pixels)])
    world.catalog.put_item(item_record(image=IMAGE), unmasked, blobs_at=put)
    entry = OcclusionEntry(
        site="local", image=IMAGE, model=MODEL, preprocessing=PREPROCESSING, size=SIZE, window=8, stride=4, fill=fill
    )
    world.cache.open(entry)
    filler = ChunkFiller(world.images, world.cache, embedder_of=lambda _: embedder)  # type: ignore[arg-type, return-value]
    embedder.passes = 0
    assert all([filler.fill(entry, chunk) for chunk in range(len(entry.chunks))])
    copies = slow_masked(image, entry.lattice, fill=-10.0 if fill is Fill.BLACK else 0.0)[walk(entry.lattice)]
    distinct = [{copies[place].tobytes() for place in chunk} - {image.tobytes()} for chunk in entry.chunks]
    assert embedder.passes == sum(map(len, distinct))
    assert embedder.passes == (0 if empty else 15 if fill is Fill.BLACK else 81)
    expected = encode(embedder.embed_normalized(copies), unmasked, entry.codec)
    loaded = world.cache.load(entry, entry.lattice.windows)
    assert loaded is not None
    assert loaded.to_bytes() == expected.to_bytes()
