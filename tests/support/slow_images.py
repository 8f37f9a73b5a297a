"""Images that keep a decoder busy for a while, though their files are short."""

import io

import numpy as np
from PIL import Image

from xmirad.types import EncodedImage


def slow_image(seed: int, *, size: int = 6300) -> EncodedImage:
    """Return a PNG of one gray that takes some tenths of a second to decode (at 6,300 pixels square)."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size), seed % 256, np.uint8)).save(buffer, "PNG", compress_level=1)
    return EncodedImage(buffer.getvalue(), "image/png")
