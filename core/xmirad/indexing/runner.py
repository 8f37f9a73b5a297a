"""Takes one image from bytes to a durable, searchable item.

The order of writing is what makes a crash harmless: blobs, then the record, then the vector store, then the receipt.
Whatever is missing after a crash is made good when the same image is sent again, and nothing is doubled, because every
key follows from the image's identity.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from xmirad.archive.port import Archive, StoredItem
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.records import ArchiveRecord, ItemRecord, ItemState
from xmirad.catalog.stored import stored_item
from xmirad.errors import (
    ArchiveNotFoundError,
    BackendUnavailableError,
    EmbeddingCorruptError,
    ItemAlreadyExistsError,
    ItemDeletedError,
)
from xmirad.failpoints import Failpoint, FailpointName
from xmirad.ids import SiteKey, image_digest, item_name
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.sandbox import Decoder
from xmirad.imaging.shared_decoder import SharedDecoder
from xmirad.indexing.incoming import Identified, IncomingItem, identify
from xmirad.indexing.locks import KeyedLocks
from xmirad.indexing.uninterrupted import uninterrupted
from xmirad.indexing.writer import GatheringWriter
from xmirad.lanes import Lane, Priority, Turns
from xmirad.types import DecodedImage, Float32Array, OriginalsPolicy, UInt8Array, UploadState

OVERTAKEN_SECONDS = 0.1
Embed = Callable[[UInt8Array], Float32Array]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """An item that is durable and searchable."""

    item: str
    state: UploadState
    image: str


@dataclass(frozen=True, slots=True)
class Lanes:
    """The scarce things that indexing shares with searching."""

    model: Lane
    blobs: Lane
    store: Lane
    turns: Turns


@dataclass(frozen=True, slots=True)
class Tools:
    """What every runner of a process works with."""

    decoder: SharedDecoder
    catalog: Catalog
    images: ImageBlobs
    site_key: SiteKey
    lanes: Lanes
    locks: KeyedLocks
    failpoint: Failpoint


class IndexRunner:
    """Stores images in one archive. Belongs to one event loop; callers bound how many images are under way."""

    def __init__(
        self, record: ArchiveRecord, archive: Archive, embed: Embed, recipe: Preprocessing, tools: Tools
    ) -> None:
        """Fill an archive; `embed` and `recipe` belong to the model that it is bound to."""
        self._record = record
        self._archive = archive
        self._embed = embed
        self._recipe = recipe
        self._preprocessing = recipe.digest
        self._tools = tools
        self._writer = GatheringWriter(archive, tools.lanes.store)
        self._is_closed = False
        self._storing = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def store(self, incoming: IncomingItem) -> Stored:
        """Return when the image is durable and found by searches.

        Cancelling stops it before it has begun to write; after that it is stored to the end, under its locks.

        Raises:
            ArchiveNotFoundError: If the archive was deleted meanwhile.
            InvalidImageError: If it cannot be decoded.
            UnsupportedImageError: If no decoder for it is allowed.
            PayloadTooLargeError: If it exceeds a limit.
            ItemAlreadyExistsError: If the item is there with another image.
            ItemDeletedError: If the item was deleted and is not to be restored.
            BackendUnavailableError: If blob store or vector store fail, or the machine is too busy to decode it.
            OverloadedError: If too many images of the caller wait to be decoded.
        """
        tools = self._tools
        found, decoded = await tools.decoder.run(
            Priority.BACKGROUND, incoming.image, lambda decoder: self._identify(decoder, incoming)
        )
        async with self._open(), tools.locks.holding(found.item, found.image, found.file):
            state, embedding = await tools.lanes.blobs.run(Priority.BACKGROUND, self._look_up, incoming, found)
            is_computed = embedding is None
            if embedding is None:
                rows = await tools.lanes.model.run(Priority.BACKGROUND, self._embed, decoded.pixels[None])
                embedding = rows[0]
            record = self._next_record(found, decoded, state)

            async def write() -> Stored:
                await tools.lanes.blobs.run(
                    Priority.BACKGROUND, self._write, incoming, decoded, record, embedding, is_computed
                )
                stored = await self._index(record, embedding, state.record)
                if not incoming.restore_deleted:
                    await self._give_way_to_deletion(stored)
                return stored

            return await uninterrupted(write())

    def refuse(self) -> None:
        """Store nothing any more; what is under way goes on."""
        self._is_closed = True

    async def close(self) -> None:
        """Store nothing any more, and return when what is under way has ended."""
        self.refuse()
        await self._idle.wait()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        if self._is_closed:
            archive = self._record.archive
            raise ArchiveNotFoundError(f"there is no archive {archive}", metadata={"archive": archive})
        self._storing += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._storing -= 1
            if not self._storing:
                self._idle.set()

    def _identify(self, decoder: Decoder, incoming: IncomingItem) -> tuple[Identified, DecodedImage]:
        decoded = decoder.decode(incoming.image, self._recipe)
        file, site_key = image_digest(incoming.image.data), self._tools.site_key
        return identify(self._record.archive, incoming, decoded, file=file, site_key=site_key), decoded

    def _look_up(self, incoming: IncomingItem, found: Identified) -> tuple[ItemState, Float32Array | None]:
        archive, item = self._record.archive, found.item
        state = self._tools.catalog.item_state(self._record, item)
        if state.has_tombstone and not incoming.restore_deleted:
            message = "the item was deleted; set restore_deleted to store it again"
            raise ItemDeletedError(message, metadata={"item": item_name(archive, item)})
        present = state.record
        if present is not None and present.image != found.image:
            message = "an item of this identity is there with another image; the first image is kept"
            raise ItemAlreadyExistsError(message, metadata={"item": item_name(archive, item), "image": present.image})
        try:
            return state, self._tools.catalog.embedding_of_image(found.image, self._record.model)
        except EmbeddingCorruptError:
            _log.warning("indexing.embedding_corrupt", extra={"image": found.image})
            return state, None

    def _next_record(self, found: Identified, decoded: DecodedImage, state: ItemState) -> ItemRecord:
        record = ItemRecord(
            creation=self._record.creation,
            archive=self._record.archive,
            item=found.item,
            revision=state.revision + 1,
            image=found.image,
            file=found.file,
            preprocessing=self._preprocessing,
            attributes=found.attributes,
            patient=found.patient,
            patient_known=found.patient_known,
            identity=found.identity,
            geometry=decoded.geometry,
            media_type=decoded.media_type,
            create_time=time.time(),
        )
        present = state.record
        if present is None or present.has_same_content(record):
            return present or record
        file_name = present.identity.file_name or record.identity.file_name
        return replace(
            record,
            create_time=present.create_time,
            identity=replace(record.identity, file_name=file_name),
        )

    def _write(
        self,
        incoming: IncomingItem,
        decoded: DecodedImage,
        record: ItemRecord,
        embedding: Float32Array,
        is_computed: bool,
    ) -> None:
        """Write what is not there yet; each step finds its own work done when it is repeated."""
        images, failpoint = self._tools.images, self._tools.failpoint
        images.put_input(record.image, record.preprocessing, decoded.pixels)
        if self._record.originals is OriginalsPolicy.COPY:
            images.put_original(record.file, incoming.image.data)
        failpoint.reach(FailpointName.AFTER_BLOB)
        self._put_record(record, embedding, is_computed=is_computed)
        if incoming.restore_deleted:
            self._tools.catalog.remove_tombstone(self._record, record.item)
        failpoint.reach(FailpointName.AFTER_RECORD)

    def _put_record(self, record: ItemRecord, embedding: Float32Array, *, is_computed: bool) -> None:
        """Write a record unless it is there; another process may have written another one of the same revision."""
        catalog = self._tools.catalog
        if catalog.put_item(record, embedding):
            return
        if catalog.item_state(self._record, record.item).record == record:
            if is_computed:  # the one that was there is damaged
                catalog.put_embedding(self._record, record.item, embedding)
            return
        message = "another process has changed the item meanwhile; send it again"
        raise BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=OVERTAKEN_SECONDS)

    async def _index(self, record: ItemRecord, embedding: Float32Array, present: ItemRecord | None) -> Stored:
        state = UploadState.CREATED
        if present is not None:
            state = UploadState.UNCHANGED if present == record else UploadState.UPDATED
        wanted = stored_item(record, self._record.site, embedding)
        if state is not UploadState.UNCHANGED or not await self._is_indexed(wanted):
            await self._writer.upsert(wanted)
            self._tools.failpoint.reach(FailpointName.AFTER_UPSERT)
        return Stored(record.item, state, record.image)

    async def _give_way_to_deletion(self, stored: Stored) -> None:
        """Take an item out of the index that another process has deleted meanwhile; the next purge removes the rest.

        Whoever deletes it after this look deletes what was written before it.
        """
        tools, record = self._tools, self._record
        if await tools.lanes.blobs.run(Priority.BACKGROUND, tools.catalog.has_tombstone, record, stored.item):
            await tools.lanes.store.run(Priority.BACKGROUND, self._archive.delete, [stored.item])
            message = "the item was deleted while it was stored; set restore_deleted to store it again"
            raise ItemDeletedError(message, metadata={"item": item_name(record.archive, stored.item)})

    async def _is_indexed(self, wanted: StoredItem) -> bool:
        found = await self._tools.lanes.store.run(Priority.BACKGROUND, self._archive.get, [wanted.item])
        return [item.payload for item in found] == [wanted.payload]
