"""Region masks: training on the lungs or the lesion alone."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from xmirad.datasets import DatasetItem
from xmirad.errors import InvalidRequestError
from xmirad.regular_files import file_digest
from xmirad.types import UInt8Array

ENDINGS = ("_xslor.png", "_segmentation.png", "_mask.png", ".png")
"""X-MIR's lung masks, ISIC's lesion masks, and two plain namings: the first that exists is taken."""
VISIBLE = 128


class Masks:
    """A folder with a mask for every image: bright where the image is kept, dark where it becomes black.

    A mask lies in the folder, or in one below it named like the image's own folder.
    A model that was trained on masked images has to be fed masked images; its card says so.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the folder.

        Raises:
            InvalidRequestError: If there is none.
        """
        if not folder.is_dir():
            raise InvalidRequestError(f"{folder} is not a folder", field="masks")
        self._folder = folder

    def digest(self, item: DatasetItem) -> str:
        """Return the SHA-256 of an image's mask file, in hexadecimal.

        Raises:
            InvalidRequestError: If the image has no mask.
        """
        return file_digest(self._file(item))

    def blank(self, item: DatasetItem, picture: UInt8Array) -> UInt8Array:
        """Return a picture, `[height, width, 3]`, that is black outside its mask, which is scaled to it.

        Raises:
            InvalidRequestError: If the image has no mask, or it cannot be read.
        """
        path = self._file(item)
        height, width = picture.shape[:2]
        try:
            with Image.open(path) as image:
                mask = image.convert("L").resize((width, height), Image.Resampling.NEAREST)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise InvalidRequestError(f"the mask {path.name} cannot be read", field="masks") from error
        visible = np.asarray(mask) >= VISIBLE
        if not visible.any():
            message = f"the mask {path.name} shows nothing: what is visible must be at least {VISIBLE} of 255"
            raise InvalidRequestError(message, field="masks")
        return picture * visible[:, :, None].astype(np.uint8)

    def _file(self, item: DatasetItem) -> Path:
        for folder in (self._folder / item.path.parent.name, self._folder):
            for ending in ENDINGS:
                path = folder / f"{item.path.stem}{ending}"
                if path.is_file() and path.resolve() != item.path.resolve():
                    return path
        message = f"there is no mask for {item.path.name}; looked for {item.path.stem} and {', '.join(ENDINGS)}"
        raise InvalidRequestError(message, field="masks")
