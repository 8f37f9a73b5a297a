"""Pictures of the query and of items, for the pages and figures that commands write; imported when it is needed."""

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from xmirad.cli.ranking import asked_with
from xmirad.errors import AccessDeniedError, NotFoundError, XmiradError
from xmirad.types import EncodedImage, UInt8Array

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.search_types import SearchSource


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image for people to look at.

    Attributes:
        pixels: Uint8 RGB, `[height, width, 3]`.
        is_whole: True for the whole image, False for the part of it that the model sees, at the model's size.
    """

    pixels: UInt8Array
    is_whole: bool


def query_picture(client: "Client", source: "SearchSource") -> Picture | None:
    """Return a picture of what is asked with, or None if there is none to be had.

    A file is decoded by the same sandboxed decoder as in the service, so that it shows what the service saw.
    """
    asked = asked_with(source)
    if isinstance(asked, str):
        return item_picture(client, asked)
    return _decoded(asked) if isinstance(asked, EncodedImage) else None


def item_picture(client: "Client", item: str) -> Picture | None:
    """Return what the model saw of an item, or None if that is gone or the caller may not see it."""
    try:
        png = client.item_image(item)
    except (AccessDeniedError, NotFoundError):
        return None
    with Image.open(BytesIO(png)) as image:
        return Picture(np.asarray(image.convert("RGB")), is_whole=False)


def _decoded(image: EncodedImage) -> Picture | None:
    try:  # a system other than Linux has no sandbox, and an install without the extra `dicom` no decoder for DICOM
        from xmirad.imaging.limits import DecodeLimits
        from xmirad.imaging.sandbox import DecoderPool
    except ImportError:
        return None
    pool = DecoderPool(DecodeLimits(), children=1)
    try:
        pool.start()
        return Picture(pool.picture(image), is_whole=True)
    except XmiradError:
        return None
    finally:
        pool.close()
