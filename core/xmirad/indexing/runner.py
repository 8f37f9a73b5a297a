"""Takes one image from bytes to a durable item, which the vector store follows.

The order of writing is what makes a crash harmless: rows of the blobs, blobs, then one transaction with record,
embedding and mark that relies on the blobs, then the receipt. Marks are applied by another part, maybe of another
process: see `applier.py`. Whatever is missing after a crash is made good when the same image is sent again, and nothing
is doubled, because an item's key follows from its identity, and what was put of its image is found by the row.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from xmirad.catalog.blobs import BlobsEndedError
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.catalog.marks import BULK
from xmirad.catalog.records import ArchiveRecord, ItemRecord, ItemState
from xmirad.errors import (
    ArchiveNotFoundError,
    BackendUnavailableError,
    EmbeddingCorruptError,
    ItemAlreadyExistsError,
    ItemDeletedError,
)
from xmirad.failpoints import Failpoint, FailpointName
from xmirad.ids import SiteKey, image_digest, item_id, item_name, upload_key
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.sandbox import Decoder
from xmirad.imaging.shared_decoder import SharedDecoder
from xmirad.indexing.incoming import Identified, IncomingItem, identify, patient_key
from xmirad.indexing.locks import KeyedLocks
from xmirad.indexing.uninterrupted import uninterrupted
from xmirad.lanes import Lane, Priority, Turns
from xmirad.types import DecodedImage, Float32Array, OriginalsPolicy, UInt8Array, UploadState

OVERTAKEN_SECONDS = 0.1
PUT_ATTEMPTS = 8
Embed = Callable[[UInt8Array], Float32Array]
Applied = Callable[[int | None], Awaitable[bool]]
"""Maps the ticket of a mark, or None for any mark of the item, to whether the vector store has followed in time."""
Following = Callable[[ArchiveRecord, str], AbstractContextManager[Applied]]
"""Looks at an item from before it is marked."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """An item that is durable.

    Attributes:
        item: The item's id.
        state: What storing it came to.
        image: Digest of its image.
        is_indexed: Whether it is known to be found by searches already.
    """

    item: str
    state: UploadState
    image: str
    is_indexed: bool = False


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


@contextmanager
def nobody_follows(_record: ArchiveRecord, _item: str) -> Iterator[Applied]:
    """Do not wait for the vector store, as imports do not."""

    async def never(_ticket: int | None) -> bool:
        return False

    yield never


class IndexRunner:
    """Stores images in one archive. Belongs to one event loop; callers bound how many images are under way."""

    def __init__(
        self,
        record: ArchiveRecord,
        embed: Embed,
        recipe: Preprocessing,
        tools: Tools,
        *,
        following: Following = nobody_follows,
        priority: int = BULK,
    ) -> None:
        """Fill an archive; `embed` and `recipe` belong to the model that it is bound to.

        Args:
            record: The archive.
            embed: Maps uint8 `[N, size, size, 3]` to `[N, embedding_size]`.
            recipe: How images become the model's input.
            tools: Of the process.
            following: Waits for the vector store.
            priority: Of the marks.
        """
        self._record = record
        self._embed = embed
        self._recipe = recipe
        self._preprocessing = recipe.digest
        self._tools = tools
        self._following = following
        self._priority = priority
        self._is_closed = False
        self._storing = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def store(self, incoming: IncomingItem) -> Stored:
        """Return when the image is durable, and if possible when it is found by searches.

        Cancelling stops it before it has begun to write; after that it is stored to the end, under its locks.

        Raises:
            ArchiveNotFoundError: If the archive was deleted meanwhile.
            InvalidImageError: If it cannot be decoded.
            UnsupportedImageError: If no decoder for it is allowed.
            PayloadTooLargeError: If it exceeds a limit.
            ItemAlreadyExistsError: If the item is there with another image.
            ItemDeletedError: If the item was deleted and is not to be restored.
            BackendUnavailableError: If catalog or blob store fail, or the machine is too busy to decode it.
            OverloadedError: If too many images of the caller wait to be decoded.
        """
        found, decoded = await self._tools.decoder.run(
            Priority.BACKGROUND, incoming.image, lambda decoder: self._identify(decoder, incoming)
        )
        with self._following(self._record, found.item) as applied:
            stored, ticket = await self._store(incoming, found, decoded)
            return replace(stored, is_indexed=await applied(ticket))

    async def holds(self, incoming: IncomingItem) -> bool:
        """Return whether the image is there just so; False also where only decoding it could tell, as for DICOM files.

        Raises:
            BackendUnavailableError: If the catalog fails.
        """
        return await self._tools.lanes.blobs.run(Priority.BACKGROUND, self._holds, incoming)

    def _holds(self, incoming: IncomingItem) -> bool:
        digest, site_key = image_digest(incoming.image.data), self._tools.site_key
        item = item_id(self._record.archive, upload_key(external_id=incoming.external_id, digest=digest))
        record = self._tools.catalog.item(self._record, item)
        if record is None or (record.image, record.file) != (digest, digest):
            return False
        patient, _ = patient_key(incoming.patient, None, item=item, site_key=site_key)
        return (record.attributes, record.patient) == (incoming.attributes, patient)

    async def _store(
        self, incoming: IncomingItem, found: Identified, decoded: DecodedImage
    ) -> tuple[Stored, int | None]:
        """Return what was stored and the ticket of its mark, if it has another one."""
        lanes = self._tools.lanes
        async with self._open(), self._tools.locks.holding(found.item, found.image, found.file):
            state, embedding = await lanes.blobs.run(Priority.BACKGROUND, self._look_up, incoming, found)
            is_computed = embedding is None
            if embedding is None:
                rows = await lanes.model.run(Priority.BACKGROUND, self._embed, decoded.pixels[None])
                embedding = rows[0]
            record = self._next_record(found, decoded, state)
            write = lanes.blobs.run(Priority.BACKGROUND, self._write, incoming, decoded, record, embedding, is_computed)
            ticket = await uninterrupted(write)
        present = None if state.has_tombstone else state.record
        outcome = UploadState.CREATED
        if present is not None:
            outcome = UploadState.UNCHANGED if present == record else UploadState.UPDATED
        return Stored(record.item, outcome, record.image), ticket

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
        self._require_no_tombstone(state, incoming, item)
        present = None if state.has_tombstone else state.record
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
        present = None if state.has_tombstone else state.record
        if present is None:
            return record
        if present.has_same_content(record):
            return present
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
    ) -> int | None:
        """Write what is not there yet; each step finds its own work done when it is repeated."""
        blobs = [NewBlob.input(record.image, record.preprocessing, decoded.pixels)]
        if self._record.originals is OriginalsPolicy.COPY:
            blobs.append(NewBlob.original(record.file, incoming.image.data))
        ticket = self._put(record, embedding, blobs, is_known=not is_computed, restore=incoming.restore_deleted)
        self._tools.failpoint.reach(FailpointName.AFTER_RECORD)
        if ticket is None:
            self._require_stored(record, incoming)
            if is_computed:  # the embedding that was there is damaged
                self._tools.catalog.put_embedding(self._record, record.item, embedding)
        return ticket

    def _put(
        self, record: ItemRecord, embedding: Float32Array, blobs: Sequence[NewBlob], *, is_known: bool, restore: bool
    ) -> int | None:
        """Put blobs, then store the item that relies on them; again, if a deletion has ended one meanwhile."""
        images, catalog = self._tools.images, self._tools.catalog
        for _ in range(PUT_ATTEMPTS):
            locations = images.put(blobs, are_known=is_known)
            self._tools.failpoint.reach(FailpointName.AFTER_BLOB)
            try:
                return catalog.put_item(record, embedding, blobs_at=locations, restore=restore, priority=self._priority)
            except BlobsEndedError as error:
                images.take_back(error.locations)
        raise _overtaken("other processes go on deleting the image while it is stored; send it again")

    def _require_stored(self, record: ItemRecord, incoming: IncomingItem) -> None:
        """Refuse to say of a record that it is there if another process has changed the item meanwhile."""
        state = self._tools.catalog.item_state(self._record, record.item)
        self._require_no_tombstone(state, incoming, record.item)
        if state.record != record:
            raise _overtaken("another process has changed the item meanwhile; send it again")

    def _require_no_tombstone(self, state: ItemState, incoming: IncomingItem, item: str) -> None:
        if state.has_tombstone and not incoming.restore_deleted:
            message = "the item was deleted; set restore_deleted to store it again"
            raise ItemDeletedError(message, metadata={"item": item_name(self._record.archive, item)})


def _overtaken(message: str) -> BackendUnavailableError:
    return BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=OVERTAKEN_SECONDS)
