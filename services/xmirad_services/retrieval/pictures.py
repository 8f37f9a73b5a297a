"""Pictures of the images that are explained, for maps to be laid over."""

import asyncio
import io
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import structlog
from PIL import Image

from xmirad.errors import (
    ArchiveNotFoundError,
    EmbeddingCorruptError,
    ExplanationNotFoundError,
    ItemNotFoundError,
    XmiradError,
)
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.types import EncodedImage, ImageGeometry, UInt8Array

KEPT = 16
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image for people to look at.

    Attributes:
        pixels: uint8 RGB, `[height, width, 3]`.
        geometry: How the model's input was made from what the picture shows.
    """

    pixels: UInt8Array
    geometry: ImageGeometry


class Pictures:
    """Shows originals where they are kept, else what the model saw. Belongs to one event loop.

    The pictures used last are kept, because every preview of a map is laid over the same one.
    """

    def __init__(self, images: ExplanationImages, tools: Tools) -> None:
        """Read from the blob store and decode in the sandbox."""
        self._images = images
        self._tools = tools
        self._kept: OrderedDict[tuple[str, ...], asyncio.Task[Picture | None]] = OrderedDict()

    async def of(self, request: ExplanationRequest, image: ImageReference) -> Picture | None:
        """Return a picture of an image of a pair, or None if nothing of it is kept any more."""
        key = (image.kind, image.digest, request.preprocessing)
        task = self._kept.get(key)
        if task is None:
            task = self._kept[key] = asyncio.create_task(self._made(request, image))
            task.add_done_callback(lambda made: self._drop_failed(key, made))
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return await asyncio.shield(task)

    def _drop_failed(self, key: tuple[str, ...], made: "asyncio.Task[Picture | None]") -> None:
        if self._kept.get(key) is made and (made.cancelled() or made.exception() or made.result() is None):
            del self._kept[key]

    async def _made(self, request: ExplanationRequest, image: ImageReference) -> Picture | None:
        pixels = await (self._of_item(request, image) if image.kind is ImageKind.ITEM else self._of_query(image))
        if pixels is not None and image.geometry is not None:
            return Picture(pixels, image.geometry)
        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._model_input, request, image)

    async def _of_item(self, request: ExplanationRequest, image: ImageReference) -> UInt8Array | None:
        def read() -> EncodedImage | None:
            try:
                archive = self._tools.catalog.archive(request.site, request.archive)
            except ArchiveNotFoundError:
                return None
            record = self._tools.catalog.item(archive, image.item)
            try:
                data = self._tools.images.original(record.file) if record else None
            except EmbeddingCorruptError as error:
                _log.warning("picture.original_damaged", item=image.item, reason=error.reason)
                return None
            if record is None or data is None:
                return None
            return EncodedImage(data, record.media_type, record.identity.frame or None)

        original = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, read)
        if original is None:
            return None
        try:
            return await self._tools.decoder.run(
                Priority.INTERACTIVE, original, lambda decoder: decoder.picture(original)
            )
        except XmiradError as error:  # it was decoded when it was stored, perhaps by other limits
            _log.warning("picture.not_made", item=image.item, archive=request.archive, reason=error.reason)
            return None

    async def _of_query(self, image: ImageReference) -> UInt8Array | None:
        def read() -> UInt8Array | None:
            try:
                data = self._images.query_picture(image.digest)
            except ExplanationNotFoundError:
                return None
            except EmbeddingCorruptError as error:
                _log.warning("picture.query_damaged", reason=error.reason)
                return None
            return np.array(Image.open(io.BytesIO(data)).convert("RGB"))

        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, read)

    def _model_input(self, request: ExplanationRequest, image: ImageReference) -> Picture | None:
        try:
            pixels = self._images.input(image.digest, request.preprocessing, is_query=image.kind is not ImageKind.ITEM)
        except (ItemNotFoundError, EmbeddingCorruptError):
            return None
        height, width = pixels.shape[:2]
        return Picture(pixels, ImageGeometry(width, height, width, height, 0, 0, width))
