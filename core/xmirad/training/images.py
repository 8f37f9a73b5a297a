"""Training images decoded once and kept as pixels in a mapped file."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from xmirad.datasets import DatasetItem
from xmirad.datasets.digests import image_digest_of
from xmirad.errors import InvalidImageError, TrainingFailedError, XmiradError
from xmirad.ids import canonical_digest
from xmirad.imaging.preprocessing import DECODING_RULES, Preprocessing, resize_shorter_side
from xmirad.imaging.sandbox import DecoderPool
from xmirad.regular_files import read_regular_file
from xmirad.training.masks import Masks
from xmirad.types import EncodedImage, UInt8Array

CACHE_RULES = 1
"""Version of what this module makes of a decoded image; raised whenever any pixel may come out different."""
SHOWN = 5

Advance = Callable[[int, int], None]
Sizes = list[tuple[int, int]]


class ImageCache:
    """Images with their shorter side at the model's size, `[height, width, 3]` uint8 each, in one mapped file.

    Sizes are mixed: only the shorter side is brought to one length, nothing is cropped. The file is a cache and may be
    deleted; its name is a digest of the images' content and of what was done to them.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], sizes: Sizes) -> None:
        """Keep the pixels of all images, one after the other, and their heights and widths."""
        self._pixels = pixels
        self._sizes = sizes
        self._ends = np.cumsum([height * width * 3 for height, width in sizes])

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self._sizes)

    def __getitem__(self, index: int) -> UInt8Array:
        """Return an image's pixels; they are not to be written to."""
        height, width = self._sizes[index]
        end = self._ends[index]
        return self._pixels[end - height * width * 3 : end].reshape(height, width, 3)


def decode_images(
    items: Sequence[DatasetItem],
    recipe: Preprocessing,
    *,
    folder: Path,
    decoder: DecoderPool,
    masks: Masks | None,
    max_bytes: int,
    advance: Advance,
) -> ImageCache:
    """Decode images in the sandbox, one at a time, or find them decoded.

    An image with a side of more than 1,024 pixels is scaled twice, so its pixels may differ by a rounding from those
    that a search sees.

    Args:
        items: The images.
        recipe: Gives the length of the shorter side and the filter.
        folder: Where decoded images are kept.
        decoder: The sandbox.
        masks: Blanks what is outside a region, or None.
        max_bytes: Largest image file that is read.
        advance: Is told how many of how many are done.

    Raises:
        InvalidImageError: If images cannot be read; the message names the first ones.
        TrainingFailedError: If the pixels cannot be written.
    """
    rules = [DECODING_RULES, CACHE_RULES, recipe.resize_shorter_side, recipe.interpolation.value]
    content = [[image_digest_of(item), masks.digest(item) if masks else ""] for item in items]
    name = canonical_digest([rules, content])
    pixels, sizes = folder / f"{name}.pixels", folder / f"{name}.json"
    cached = _mapped(pixels, sizes)
    if cached is not None:
        return cached
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".decoding-") as work:
            partial = Path(work) / "pixels"
            found = _decode_to(
                partial, items, recipe, decoder=decoder, masks=masks, max_bytes=max_bytes, advance=advance
            )
            written = Path(work) / "sizes"
            written.write_text(json.dumps(found), "utf-8")
            partial.replace(pixels)
            written.replace(sizes)
    except OSError as error:
        message = f"decoded images cannot be kept in {folder} ({error})"
        raise TrainingFailedError(message, metadata={"folder": str(folder)}) from error
    return ImageCache(np.memmap(pixels, dtype=np.uint8, mode="r"), found)


def _mapped(pixels: Path, sizes: Path) -> ImageCache | None:
    """Return what an earlier run has kept, if it is whole."""
    if not (pixels.is_file() and sizes.is_file()):
        return None
    found: Sizes = [(height, width) for height, width in json.loads(sizes.read_text("utf-8"))]
    if pixels.stat().st_size != sum(height * width * 3 for height, width in found):
        return None
    return ImageCache(np.memmap(pixels, dtype=np.uint8, mode="r"), found)


def _decode_to(
    path: Path,
    items: Sequence[DatasetItem],
    recipe: Preprocessing,
    *,
    decoder: DecoderPool,
    masks: Masks | None,
    max_bytes: int,
    advance: Advance,
) -> Sizes:
    sizes: Sizes = []
    unreadable: list[str] = []
    with path.open("wb") as file:
        for done, item in enumerate(items, start=1):
            try:
                data = read_regular_file(item.path, max_bytes=max_bytes)
                picture = decoder.picture(EncodedImage(data, frame=item.frame))
            except OSError as error:
                unreadable.append(f"{item.path.name} ({error.strerror})")
            except XmiradError as error:
                unreadable.append(f"{item.path.name} ({error.message})")
            else:
                seen = Image.fromarray(masks.blank(item, picture) if masks else picture)
                image = resize_shorter_side(seen, recipe)
                file.write(image.tobytes())
                sizes.append((image.height, image.width))
            advance(done, len(items))
    if unreadable:
        message = f"{len(unreadable)} of {len(items)} images cannot be read: {'; '.join(unreadable[:SHOWN])}"
        raise InvalidImageError(message, field="data", metadata={"unreadable": str(len(unreadable))})
    return sizes
