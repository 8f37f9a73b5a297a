"""An index runner and an applier over real records and blobs, with a decoder and a model that need no process."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from support.catalogs import sqlite_catalog
from support.memory_archive import MemoryArchive
from support.records import EMBEDDING_SIZE, GEOMETRY, archive_record
from xmirad.archive.port import Archive
from xmirad.blobs.fsspec_store import FolderBlobStore
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import binding_of
from xmirad.errors import InvalidImageError
from xmirad.failpoints import Failpoint
from xmirad.ids import SiteKey
from xmirad.imaging.preprocessing import IMAGENET, Preprocessing
from xmirad.imaging.sandbox import Decoder
from xmirad.imaging.shared_decoder import SharedDecoder
from xmirad.indexing.applier import Applier
from xmirad.indexing.incoming import IncomingItem
from xmirad.indexing.locks import KeyedLocks
from xmirad.indexing.runner import IndexRunner, Lanes, Tools
from xmirad.lanes import Lane, Priority, Turns
from xmirad.types import DecodedImage, DicomHeader, EncodedImage, Float32Array, UInt8Array

SITE_KEY = SiteKey(b"k" * 32)
WAIT_SECONDS = 5.0
T = TypeVar("T")


class ByteDecoder:
    """Decodes any bytes to a small square that depends on them; data that begins with `bad` is no image."""

    def __init__(self) -> None:
        self.header: DicomHeader | None = None

    def decode(self, image: EncodedImage, recipe: Preprocessing) -> DecodedImage:
        if image.data.startswith(b"bad"):
            raise InvalidImageError("the image cannot be decoded", field="image")
        shade = hashlib.sha256(image.data).digest()[:12]
        pixels = np.frombuffer(shade, np.uint8).reshape(2, 2, 3).copy()
        return DecodedImage(pixels, GEOMETRY, "image/png", self.header)

    async def run(self, priority: Priority, image: EncodedImage, call: Callable[[Decoder], T]) -> T:
        """Call in another thread, as `SharedDecoder.run` does."""
        return await asyncio.to_thread(call, cast("Decoder", self))


@dataclass(slots=True)
class Gate:
    """A place where a thread can be made to wait."""

    begun: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    closed: bool = False

    def pass_through(self) -> None:
        self.begun.set()
        if self.closed:
            assert self.opened.wait(WAIT_SECONDS)


class GatedArchive(MemoryArchive):
    """Waits at its gate before every upsert, and remembers how many items each call brought."""

    def __init__(self, record: ArchiveRecord) -> None:
        super().__init__(binding_of(record))
        self.gate = Gate()
        self.batches: list[int] = []
        self.faults: list[BaseException] = []

    def upsert(self, items: object) -> None:
        self.gate.pass_through()
        if self.faults:
            raise self.faults.pop(0)
        self.batches.append(len(list(items)))  # type: ignore[call-overload]
        super().upsert(items)  # type: ignore[arg-type]


@dataclass(slots=True)
class Workshop:
    """A runner and everything that it works with."""

    record: ArchiveRecord
    archive: GatedArchive
    decoder: ByteDecoder
    tools: Tools
    store: FolderBlobStore
    writing: Gate = field(default_factory=Gate)
    """Passed before a record is written."""
    following: "asyncio.Task[None] | None" = None
    embedded: list[int] = field(default_factory=list)
    others: dict[str, MemoryArchive] = field(default_factory=dict)
    _applier: Applier | None = None

    def embed(self, pixels: UInt8Array) -> Float32Array:
        """Return unit vectors that depend on the pixels."""
        self.embedded.append(len(pixels))
        rows = pixels.reshape(len(pixels), -1)[:, :EMBEDDING_SIZE].astype(np.float32) + 1.0
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def runner(self) -> IndexRunner:
        """Return a runner; call it within an event loop, in which marks are applied from then on."""
        applier = self.applier()
        return IndexRunner(self.record, self.embed, IMAGENET, self.tools, following=applier.following)

    def applier(self) -> Applier:
        """Return what applies marks, and is at it."""
        if self._applier is None:
            self._applier = Applier(
                self.tools.catalog,
                self.tools.images,
                self.tools.lanes,
                open_in_store=self._opened,
                on_damage=self._note_damage,
                embed=lambda record, pixels: self.embed(pixels),
                holder="h",
                is_shared=False,
                failpoint=self.tools.failpoint,
            )
            self.following = asyncio.create_task(self._applier.keep_up())
        return self._applier

    async def _note_damage(self, record: ArchiveRecord) -> None:
        """Do nothing: nobody mends."""

    async def _opened(self, record: ArchiveRecord) -> Archive:
        return self.archive if record == self.record else self.others[record.creation]

    def blobs(self) -> list[str]:
        """Return the digests of all images and files of which the blob store holds something."""
        keys = [key for kind in ("inputs", "originals") for key in self.store.list(f"{kind}/")]
        return sorted({key.split("/")[2].split(".")[0] for key in keys})


@contextmanager
def workshop(folder: Path, **changes: object) -> Iterator[Workshop]:
    """Yield a workshop whose archive's record has some fields changed."""
    record = archive_record(**changes)
    decoder, blobs, catalog = ByteDecoder(), FolderBlobStore(folder / "blobs"), sqlite_catalog(folder)
    catalog.create_archive(record)
    model, store = (Lane(name, workers=1) for name in ("model", "store"))
    blob_lane = Lane("blobs", workers=4)
    lanes = Lanes(model, blob_lane, store, Turns(1))
    tools = Tools(
        decoder=cast("SharedDecoder", decoder),
        catalog=catalog,
        images=ImageBlobs(catalog.database, blobs),
        site_key=SITE_KEY,
        lanes=lanes,
        locks=KeyedLocks(),
        failpoint=Failpoint(),
    )
    archive = GatedArchive(record)
    made, put = Workshop(record, archive, decoder, tools, blobs), catalog.put_item

    def put_item(*arguments: Any, **options: Any) -> int | None:  # noqa: ANN401
        made.writing.pass_through()
        return put(*arguments, **options)

    catalog.put_item = put_item  # type: ignore[method-assign]
    try:
        yield made
    finally:
        archive.gate.opened.set()
        made.writing.opened.set()
        for lane in (lanes.model, lanes.blobs, lanes.store):
            lane.close()
        catalog.database.close()


def incoming(data: bytes = b"image", **fields: object) -> IncomingItem:
    """Return an image to store, known by its external id `x` unless told otherwise."""
    return IncomingItem(**{"image": EncodedImage(data), "external_id": "x", **fields})  # type: ignore[arg-type]


async def until(event: threading.Event) -> None:
    """Wait for another thread without blocking the event loop."""
    assert await asyncio.to_thread(event.wait, WAIT_SECONDS)
