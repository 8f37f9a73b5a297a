"""Small generated images for tests; every seed gives another one."""

import io

import numpy as np
from PIL import Image

from xmirad.types import EncodedImage


def png(seed: int, *, size: int = 64) -> EncodedImage:
    """Return a gray PNG of smooth noise, `size` pixels square."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return EncodedImage(buffer.getvalue(), "image/png")
