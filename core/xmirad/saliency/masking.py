"""What the network sees when a window is hidden.

Windows are written into reused float buffers and taken out again; there are no mask tensors and no stacks of copies.
They belong into the normalized image: zero after normalization is a gray level between two bytes for most recipes.
"""

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from xmirad.errors import InvalidRequestError
from xmirad.saliency.gaussian import blurred_evenly, gaussian_kernel
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import IntArray
from xmirad.types import Float32Array

BLUR_SIGMA = 8.0
"""Standard deviation of the blur that hides, in pixels; that of X-MIR's blurred regions."""


class Fill(StrEnum):
    """What a hidden window shows."""

    ZERO = "zero"
    BLACK = "black"
    MEAN = "mean"
    BLUR = "blur"
    IMAGE = "image"


def fill_for(
    image: Float32Array,
    fill: Fill = Fill.ZERO,
    *,
    black: tuple[float, float, float] | None = None,
    other: Float32Array | None = None,
) -> Float32Array:
    """Return what lies under the windows, as a whole image.

    Args:
        image: The image to be masked, normalized, `[3, S, S]`.
        fill: ZERO is 0 after normalization, the recipe's mean color (as published); MEAN is the image's own mean color;
            BLUR is the image itself, blurred; IMAGE is `other`.
        black: Black after normalization, `-mean / std`; needed for BLACK only.
        other: Another image, normalized, `[3, S, S]`; needed for IMAGE only.

    Returns:
        `[3, S, S]`, not to be written to.

    Raises:
        InvalidRequestError: If the fill needs what is not given, or the other image is of another shape.
    """
    if fill is Fill.BLUR:
        return blurred_evenly(image, gaussian_kernel(BLUR_SIGMA))
    if fill is Fill.IMAGE:
        if other is None or other.shape != image.shape:
            raise InvalidRequestError("fill image needs an image of the same shape", field="fill")
        return other
    if fill is Fill.MEAN:
        color = image.mean(axis=(1, 2), dtype=np.float64)
    elif fill is Fill.BLACK:
        if black is None:
            raise InvalidRequestError("fill black needs black after normalization", field="fill")
        color = np.array(black)
    else:
        color = np.zeros(3)
    return np.broadcast_to(color.astype(np.float32)[:, None, None], image.shape)


class WindowMasker:
    """Masked copies of one image, in buffers that are used again for every batch."""

    def __init__(self, lattice: WindowLattice, image: Float32Array, *, fill: Float32Array, batch_size: int) -> None:
        """Make the buffers.

        Args:
            lattice: Where the windows lie.
            image: Normalized, `[3, S, S]`.
            fill: What lies under the windows, `[3, S, S]`.
            batch_size: Number of buffers, at least 1.

        Raises:
            InvalidRequestError: If image or fill is not of the lattice's size.
        """
        shape = (3, lattice.size, lattice.size)
        if image.shape != shape or fill.shape != shape:
            raise InvalidRequestError(f"image and fill must be {list(shape)}", field="image")
        self._lattice = lattice
        self._image = image
        self._fill = fill
        self._buffers = np.repeat(image[None], batch_size, axis=0)
        # As bits, for which -0 is not 0 and a pixel that is no number equals itself.
        self._changes = (_bits(image) != _bits(fill)).any(axis=0)

    def distinct(self, windows: IntArray) -> tuple[IntArray, IntArray]:
        """Find the windows that are worth a forward pass: pixels that equal the fill already make no difference.

        Two windows make the same copy exactly if the smallest boxes around the pixels they change are the same.

        Args:
            windows: Numbers of windows, `[N]`.

        Returns:
            Windows whose copies differ from the image and from each other, `[M]`, and for each of the N windows the
            place of its copy among these, -1 if its copy is the image itself.
        """
        places: dict[tuple[int, ...], int] = {}
        chosen: list[int] = []
        found = np.full(len(windows), -1, dtype=np.int64)
        for number, window in enumerate(windows.tolist()):
            box = self._changed_box(window)
            if box is None:
                continue
            if box not in places:
                places[box] = len(chosen)
                chosen.append(window)
            found[number] = places[box]
        return np.array(chosen, dtype=np.int64), found

    def batches(self, windows: IntArray) -> Iterator[Float32Array]:
        """Yield batches of masked copies, each valid until the next is asked for.

        Args:
            windows: Numbers of windows, `[N]`; each copy hides one of them.

        Yields:
            `[B, 3, S, S]`, B at most the batch size.
        """
        for start in range(0, len(windows), len(self._buffers)):
            boxes = [self._lattice.box(int(window)) for window in windows[start : start + len(self._buffers)]]
            try:
                for buffer, (rows, columns) in zip(self._buffers, boxes, strict=False):
                    buffer[:, rows, columns] = self._fill[:, rows, columns]
                yield self._buffers[: len(boxes)]
            finally:
                for buffer, (rows, columns) in zip(self._buffers, boxes, strict=False):
                    buffer[:, rows, columns] = self._image[:, rows, columns]

    def _changed_box(self, window: int) -> tuple[int, int, int, int] | None:
        """Return first and last row and column of what a window changes, or None if it changes nothing."""
        rows, columns = self._lattice.box(window)
        changes = self._changes[rows, columns]
        changed_rows = np.flatnonzero(changes.any(axis=1))
        if not len(changed_rows):
            return None
        changed_columns = np.flatnonzero(changes.any(axis=0))
        top, bottom = (rows.start + int(changed_rows[end]) for end in (0, -1))
        left, right = (columns.start + int(changed_columns[end]) for end in (0, -1))
        return top, bottom, left, right


def _bits(values: Float32Array) -> npt.NDArray[np.int32]:
    return np.ascontiguousarray(values).view(np.int32)
