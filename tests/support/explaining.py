"""Explanations without network, server and model: small images, made-up embeddings, a worker that is called."""

import hashlib
from typing import Any, cast

import numpy as np
from sqlalchemy import select, update

from support.catalogs import temporary_catalog
from support.dict_blobs import DictBlobs
from support.fake_board import FakeBoard, FakeQueue
from support.records import archive_record, item_record
from support.saliency import unit
from xmirad.catalog.explanation_tables import cache_subscribers, explanations, queries
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.errors import ItemNotFoundError
from xmirad.explanations.assessing import Assessor
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.completing import Completion
from xmirad.explanations.creating import Creator
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.eviction import Evictor
from xmirad.explanations.forgetting import Forgetter
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference, OcclusionParameters
from xmirad.explanations.results import Areas, Fidelity
from xmirad.explanations.scoring import MapScorer, entries_of
from xmirad.explanations.store import Asked, ExplanationStore
from xmirad.explanations.sweeping import Retention, Sweeper
from xmirad.explanations.warming import Warmer
from xmirad.explanations.watching import Watcher
from xmirad.models.embedder import BackboneEmbedder
from xmirad.saliency.codec import encode
from xmirad.saliency.fidelity import Verdict
from xmirad.types import Float32Array, ImageGeometry, UInt8Array

SIZE = 32
CHANNELS = 8
MODEL, PREPROCESSING = "a" * 64, "b" * 64
GEOMETRY = ImageGeometry(64, 64, 40, 40, 4, 4, SIZE)
OCCLUSION = OcclusionParameters(window=8, stride=4)
"""81 windows in 4 levels and 5 chunks."""
CHUNKS = 5
DAY = 86_400.0


class FakeEmbedder:
    """A network whose activations are noise that the pixels choose."""

    head = None
    at_once = 4

    def normalized(self, pixels: UInt8Array) -> Float32Array:
        return np.moveaxis(pixels, -1, 1).astype(np.float32)

    def activations(self, normalized: Float32Array) -> Float32Array:
        generator = np.random.default_rng(int(normalized.sum()))
        return generator.uniform(0.1, 1.0, (len(normalized), CHANNELS, 4, 4)).astype(np.float32)


class FakeAssessor:
    """Finds every map better than chance, on the second call."""

    def __init__(self) -> None:
        self.calls = 0

    def assess(self, asked: Asked, maps: Any, others: Any) -> list[Fidelity] | None:  # noqa: ANN401
        self.calls += 1
        figures = Fidelity(Areas(0.9, 0.2), (0.1, 0.2), Verdict.BETTER_THAN_CHANCE)
        return [figures for _ in maps] if self.calls > 1 else None


class World:
    """All parts of the life of explanations, in memory."""

    def __init__(self, *, max_waiting: int = 1_000, budget_bytes: int = 1_000_000) -> None:
        self.now = 1_000_000.0
        self.blobs, self.board, self.queue = DictBlobs(), FakeBoard(), FakeQueue(max_waiting=max_waiting)
        self.catalog = temporary_catalog(self)
        self.archive = self.catalog.create_archive(archive_record(model=MODEL, preprocessing=PREPROCESSING))
        self.database = self.catalog.database
        self.images = ExplanationImages(self.catalog, self.blobs, clock=self.clock)
        self.store = ExplanationStore(self.database, self.blobs, clock=self.clock)
        self.cache = OcclusionCache(self.database, self.blobs, self.board, clock=self.clock)
        embedder = cast("BackboneEmbedder", FakeEmbedder())
        scorer = MapScorer(self.images, self.cache, embedder_of=lambda model: embedder)
        assessor = cast("Assessor", FakeAssessor())
        ports: Any = {"board": self.board, "queue": self.queue}
        self.completion = Completion(self.store, self.cache, scorer, assessor, **ports)
        self.forgetter = Forgetter(self.database, self.blobs, clock=self.clock)
        self.creator = Creator(
            self.store, self.cache, self.completion, self.forgetter, queue=self.queue, max_windows=10_000
        )
        self.evictor = Evictor(self.database, self.forgetter, budget_bytes=budget_bytes, clock=self.clock)
        self.warmer = Warmer(self.database, self.cache, queue=self.queue, budget_bytes=budget_bytes)
        self.watcher = Watcher(self.store, self.cache, self.board)
        self.computed: list[tuple[str, int]] = []
        self.sweeper = self.new_sweeper("one")

    def clock(self) -> float:
        return self.now

    def new_sweeper(self, holder: str) -> Sweeper:
        retention = Retention(explanations=7 * DAY, queries=DAY, sweep=15.0)
        return Sweeper(
            self.database, self.store, self.creator, self.forgetter, self.evictor, self.warmer,
            board=self.board, queue=self.queue, retention=retention, holder=holder, clock=self.clock,
        )  # fmt: skip

    def item(self, number: int) -> ImageReference:
        """Return an item, stored with its model input and its embedding."""
        digest = hashlib.sha256(b"item %d" % number).hexdigest()
        pixels, embedding = _picture(number)
        put = ImageBlobs(self.database, self.blobs).put([NewBlob.input(digest, PREPROCESSING, pixels)])
        item = f"item-{number}"
        self.catalog.put_item(item_record(item=item, image=digest, file=digest), embedding, blobs_at=put)
        return ImageReference(ImageKind.ITEM, digest, item=item, geometry=GEOMETRY)

    def item_of(self, image: str) -> ImageReference:
        """Return the item of an image."""
        found = next(record for record in self.catalog.items(self.archive) if record.image == image)
        return ImageReference(ImageKind.ITEM, image, item=found.item, geometry=GEOMETRY)

    def delete_item(self, image: ImageReference) -> None:
        """Delete an item as a service does: a tombstone, what it explains, its record, its blobs."""
        self.catalog.add_tombstones(self.archive, [image.item])
        self.forgetter.delete_of_items(self.archive.creation, [image.item])
        self.catalog.forget_items(self.archive, [image.item])
        self.forgetter.purger.purge_some()

    def query(self, number: int) -> ImageReference:
        """Return a query image, stored."""
        digest = hashlib.sha256(b"query %d" % number).hexdigest()
        pixels, embedding = _picture(number)
        self.images.put_query(digest, model=MODEL, embedding=embedding)
        self.images.put_query_pixels(digest, preprocessing=PREPROCESSING, pixels=pixels, picture=b"PNG")
        return ImageReference(ImageKind.QUERY, digest, geometry=GEOMETRY)

    def vector(self, number: int) -> ImageReference:
        """Return a query vector, stored."""
        digest = hashlib.sha256(b"vector %d" % number).hexdigest()
        self.images.put_query(digest, model=MODEL, embedding=_picture(number)[1])
        return ImageReference(ImageKind.EMBEDDING, digest)

    def request(self, **changes: Any) -> ExplanationRequest:  # noqa: ANN401
        """Return a request; by default why item 2 was found for item 1."""
        given: dict[str, Any] = {"query": self.item(1), "result": self.item(2), "occlusion": OCCLUSION} | changes
        return ExplanationRequest(
            site="local", archive="chest", model=MODEL, preprocessing=PREPROCESSING, size=SIZE, **given
        )

    def create(self, *, queue: QueueName = QueueName.INTERACTIVE, **changes: Any) -> str:  # noqa: ANN401
        """Create an explanation and return its id."""
        return self.creator.create(self.request(**changes), queue=queue).request.explanation

    def entry(self, explanation: str) -> OcclusionEntry:
        """Return the cache entry of an explanation with one side."""
        (entry,) = entries_of(self.store.asked(explanation).request).values()
        return entry

    def put(self, entry: OcclusionEntry, chunk: int) -> None:
        """Compute and store a chunk, without telling anybody."""
        if self.cache.has(entry, chunk):
            return
        self.computed.append((entry.location, chunk))
        embedding = self.images.embedding(entry.image, entry.model, is_query=entry.is_query)
        generator = np.random.default_rng([int(entry.image[:8], 16), chunk])
        noise = 0.1 * generator.standard_normal((len(entry.chunks[chunk]), CHANNELS))
        self.cache.put(entry, chunk, encode(unit(embedding + noise), embedding, entry.codec))

    def work(self, *, tasks: int = 10_000) -> int:
        """Do what waits in the queue, as a worker would; return how many tasks were taken."""
        taken = 0
        while taken < tasks and (task := self.queue.take()):
            entry, chunk, _ = task
            taken += 1
            if self.cache.is_wanted(entry):
                try:
                    self.put(entry, chunk)
                    self.completion.after_chunk(entry, chunk)
                except ItemNotFoundError as error:
                    self.completion.fail_entry(entry, error)
        return taken

    def all_explanations(self) -> list[str]:
        """Return the ids of all explanations that are not deleted, in order."""
        statement = select(explanations.c.explanation).where(explanations.c.delete_time.is_(None))
        return sorted(self.database.read(lambda connection: connection.execute(statement).scalars().all()))

    def all_queries(self) -> list[str]:
        """Return the digests of all stored queries that are not deleted, in order."""
        statement = select(queries.c.digest).where(queries.c.delete_time.is_(None))
        return sorted(self.database.read(lambda connection: connection.execute(statement).scalars().all()))

    def waiting(self) -> set[str]:
        """Return the locations of the cache entries that an explanation waits for."""
        statement = select(cache_subscribers.c.location)
        return set(self.database.read(lambda connection: connection.execute(statement).scalars().all()))

    def damage(self, explanation: str, **columns: object) -> None:
        """Overwrite columns of an explanation's row."""
        row = update(explanations).where(explanations.c.explanation == explanation).values(**columns)
        self.database.write(lambda connection: connection.execute(row))

    def kinds(self, explanation: str) -> list[object]:
        """Return what was announced of an explanation, without progress."""
        events = self.board.events(explanation, after="")
        return [event.fields["kind"] for event in events if event.fields["kind"] != "progress"]


def _picture(number: int) -> tuple[UInt8Array, Float32Array]:
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    embedder = FakeEmbedder()
    activations = embedder.activations(embedder.normalized(pixels[None]))[0]
    return pixels, unit(activations.mean(axis=(1, 2)))
