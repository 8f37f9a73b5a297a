"""What the truth knows of items beyond their payload: identity, geometry and pictures."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from PIL import Image

from xmirad.catalog.blobs import BlobRow
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.errors import EmbeddingCorruptError, ItemNotFoundError
from xmirad.ids import item_name
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.types import UInt8Array

THUMBNAIL_SIZE = 112
THUMBNAIL_QUALITY = 85
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ItemDetail:
    """An item's record and its thumbnail: JPEG of 112 x 112 pixels, empty where the model input is gone or damaged."""

    record: ItemRecord
    thumbnail: bytes


class ItemDetails:
    """Reads records and model inputs in one batch, on the blob lane."""

    def __init__(self, tools: Tools) -> None:
        """Read from the catalog and the images."""
        self._tools = tools

    async def of(self, archive: ArchiveRecord, items: Sequence[str]) -> list[ItemDetail | None]:
        """Return the details of items, None for those without a record."""

        def read() -> list[ItemDetail | None]:
            records = self._tools.catalog.find_items(archive, items)
            inputs = self._tools.images.find_inputs({record.image for record in records.values()})
            return [self._detail(records.get(item), inputs) for item in items]

        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, read)

    async def records(self, archive: ArchiveRecord, items: Sequence[str]) -> list[ItemRecord | None]:
        """Return the records of items, None where there is none."""
        found = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._tools.catalog.find_items, archive, items)
        return [found.get(item) for item in items]

    async def picture(self, archive: ArchiveRecord, item: str) -> tuple[bytes, ItemRecord]:
        """Return a PNG of an item's model input, and its record.

        Raises:
            ItemNotFoundError: If there is no such item, or its model input is gone.
        """
        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._picture, archive, item)

    def _picture(self, archive: ArchiveRecord, item: str) -> tuple[bytes, ItemRecord]:
        record = self._tools.catalog.item(archive, item)
        pixels = self._tools.images.input(record.image, record.preprocessing) if record else None
        if record is None or pixels is None:
            name = item_name(archive.archive, item)
            raise ItemNotFoundError(f"there is no item {name}", field="name", metadata={"item": name})
        return _encoded(Image.fromarray(pixels), format="PNG"), record

    def _detail(self, record: ItemRecord | None, inputs: Mapping[tuple[str, str], BlobRow]) -> ItemDetail | None:
        if record is None:
            return None
        found = inputs.get((record.image, record.preprocessing))
        try:
            pixels = self._tools.images.input(record.image, record.preprocessing, found=found)
        except EmbeddingCorruptError as error:  # one damaged picture must not cost the whole ranking
            _log.warning("item.thumbnail_missing", item=record.item, archive=record.archive, reason=error.reason)
            pixels = None
        return ItemDetail(record, b"" if pixels is None else _thumbnail(pixels))


def _thumbnail(pixels: UInt8Array) -> bytes:
    small = Image.fromarray(pixels).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BILINEAR)
    return _encoded(small, format="JPEG", quality=THUMBNAIL_QUALITY)


def _encoded(picture: Image.Image, **options: str | int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **options)  # type: ignore[arg-type]  # Pillow types each format's options apart
    return buffer.getvalue()
