"""Opening an image file for people to look at; not for measuring."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

BLUE, GREEN, RED = (0, 112, 192), (0, 150, 68), (204, 0, 0)
WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B")
Picture = Path | bytes


def open_picture(picture: Picture, *, size: int) -> Image.Image | None:
    """Return a picture fitted into a square of `size` pixels, RGB, or None if Pillow cannot read it.

    Images of more than 8 bits are stretched between their darkest and brightest pixel.
    """
    source = BytesIO(picture) if isinstance(picture, bytes) else picture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _opened(source, size)
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _opened(source: Path | BytesIO, size: int) -> Image.Image:
    with Image.open(source) as image:
        image.draft("RGB", (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        shown = _stretched(upright) if upright.mode in WIDE_MODES else upright.convert("RGB")
        return ImageOps.contain(shown, (size, size), Image.Resampling.LANCZOS)


def _stretched(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float64)
    low, high = float(pixels.min()), float(pixels.max())
    scaled = (pixels - low) * (255 / (high - low)) if high > low else np.zeros_like(pixels)
    return Image.fromarray(np.round(scaled).astype(np.uint8)).convert("RGB")
