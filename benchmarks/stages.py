"""The stages of the work on an image, each alone in this process: what the service's figures are compared with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.clock import cpu_seconds
from benchmarks.images import ImageKind, Images
from benchmarks.run import Run
from xmirad.archive.edge import EdgeStore
from xmirad.archive.edge_archive import EdgeArchive
from xmirad.archive.port import ArchiveBinding, ItemPayload, ScoredItem, StoredItem
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.catalog.records import ArchiveRecord, Identity, ItemRecord
from xmirad.catalog.stored import stored_item
from xmirad.ids import image_digest, item_id
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.models.embedder import load_embedder
from xmirad.types import DecodedImage, EncodedImage, Float32Array, ItemAttributes, OriginalsPolicy, UInt8Array

LIMITS = DecodeLimits()
TOP_K = 10
BATCH = 16
ARCHIVE = ArchiveRecord(
    creation="b" * 32,
    archive="benchmark",
    site="local",
    model="",
    embedding_size=0,
    preprocessing="",
    site_key_fingerprint="benchmark",
    originals=OriginalsPolicy.COPY,
    create_time=0.0,
)
"""As many images as the service has under way in a stream, so that it upserts at most as many at a time."""


@dataclass(frozen=True, slots=True)
class ImageCost:
    """Processor seconds for one image."""

    decode: float
    embed: float
    write: float

    def bound(self, cores: int) -> float:
        """Return how many images a second the cores could store if nothing else cost anything."""
        return cores / (self.decode + self.embed + self.write)

    def __str__(self) -> str:
        """Return the parts, in milliseconds."""
        parts = (self.decode, self.embed, self.write)
        return "CPU ms: decode {:.1f}, model {:.1f}, write {:.1f}".format(*(1_000 * part for part in parts))


class Stages:
    """Decodes, embeds, writes and queries with the library's own parts, without lanes, sandbox and gRPC."""

    def __init__(self, run: Run, folder: Path, *, items: int = 0) -> None:
        """Make stores of their own below a folder, with some random items to query."""
        self._recipe = run.artifact.preprocessing
        self._artifact = run.artifact
        self._embedder = load_embedder(run.artifact, threads=1)
        self._all_cores = run.embedder
        blobs = open_blob_store(str(folder / "blobs"))
        self._catalog = Catalog(Database(f"sqlite:///{folder / 'catalog.db'}", create=True))
        self._images = ImageBlobs(self._catalog.database, blobs)
        self._catalog.create_archive(replace(ARCHIVE, model=run.artifact.digest))
        self._store = EdgeStore(folder / "store")
        self._archive = random_archive(self._store, run.artifact.digest, run.artifact.embedding_size, items)

    def close(self) -> None:
        """Close the vector store and the catalog."""
        self._store.close()
        self._catalog.database.close()

    def decode(self, image: EncodedImage) -> DecodedImage:
        """Decode and preprocess."""
        return decode_image(image, self._recipe, LIMITS)

    def embed(self, pixels: UInt8Array) -> Float32Array:
        """Run the model on one image, on one thread: the least processor time that it takes."""
        embedding: Float32Array = self._embedder.embed(pixels[None])[0]
        return embedding

    def query(self, embedding: Float32Array) -> Sequence[ScoredItem]:
        """Ask the vector store as a plain search does."""
        return self._archive.query(embedding, top_k=TOP_K)

    def search(self, image: EncodedImage) -> Sequence[ScoredItem]:
        """Do everything that a search by image cannot do without, one after the other, on one thread."""
        return self.query(self.embed(self.decode(image).pixels))

    def search_on_all_cores(self, image: EncodedImage) -> Sequence[ScoredItem]:
        """Do the same with the model on all cores."""
        return self.query(self._all_cores.embed(self.decode(image).pixels[None], waited_for=True)[0])

    def write(
        self, image: EncodedImage, decoded: DecodedImage, embedding: Float32Array, *, keep_original: bool = True
    ) -> StoredItem:
        """Write an image's blobs and record."""
        digest = image_digest(image.data)
        blobs = [NewBlob.input(digest, self._recipe.digest, decoded.pixels)]
        if keep_original:
            blobs.append(NewBlob.original(digest, image.data))
        record = self._record(digest, decoded)
        self._catalog.put_item(record, embedding, blobs_at=self._images.put(blobs))
        return stored_item(record, "local", embedding)

    def cost(self, kind: ImageKind, count: int, *, seed: int, keep_original: bool = True) -> ImageCost:
        """Measure each stage alone, on images that were not seen before."""
        images = Images(kind, seed=seed).take(count)
        decoded = [self.decode(image) for image in images]
        embedding = self.embed(decoded[0].pixels)

        def write(numbers: Sequence[int]) -> None:
            self._archive.upsert(
                [
                    self.write(images[number], decoded[number], embedding, keep_original=keep_original)
                    for number in numbers
                ]
            )

        batches = [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
        began = time.process_time()
        for batch in batches:
            write(batch)
        written = (time.process_time() - began) / count
        return ImageCost(
            decode=cpu_seconds(self.decode, images),
            embed=cpu_seconds(self.embed, [one.pixels for one in decoded]),
            write=written,
        )

    def _record(self, digest: str, decoded: DecodedImage) -> ItemRecord:
        return ItemRecord(
            creation=ARCHIVE.creation,
            archive=ARCHIVE.archive,
            item=item_id("benchmark", digest),
            revision=1,
            image=digest,
            file=digest,
            preprocessing=self._recipe.digest,
            attributes=ItemAttributes(labels=("benchmark",), synthetic=True),
            patient=digest,
            patient_known=False,
            identity=Identity(),
            geometry=decoded.geometry,
            media_type=decoded.media_type,
            create_time=time.time(),
        )


def random_archive(store: EdgeStore, model: str, size: int, items: int) -> EdgeArchive:
    """Return an archive of random unit vectors."""
    archive = store.create(ArchiveBinding("benchmark", "c" * 32, model, size, "benchmark"))
    fill_randomly(archive, items)
    return archive


def fill_randomly(archive: EdgeArchive, items: int) -> None:
    """Store random unit vectors in an archive."""
    size = archive.binding.embedding_size
    generator = np.random.default_rng(0)
    for first in range(0, items, 500):
        vectors = generator.normal(size=(min(500, items - first), size)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        archive.upsert([_random_item(first + number, vector) for number, vector in enumerate(vectors)])


def random_embedding(size: int, *, seed: int) -> Float32Array:
    """Return a random unit vector."""
    vector = np.random.default_rng([seed, size]).normal(size=size).astype(np.float32)
    unit: Float32Array = vector / np.linalg.norm(vector)
    return unit


def _random_item(number: int, vector: Float32Array) -> StoredItem:
    item = item_id("benchmark", f"random {number}")
    attributes = ItemAttributes(labels=("benchmark",), synthetic=True)
    return StoredItem(item, ItemPayload("local", item, attributes, patient=item, patient_known=False), vector)
