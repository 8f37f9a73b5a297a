"""Where the occluding windows lie.

The lattice of Dong et al., "Explainability for Content-Based Image Retrieval" (CVPR Workshops 2019), as released with
Hu, Vasu and Hoogs, "X-MIR" (WACV 2022): window tops at `arange(stride - window, size, stride)` on both axes, windows
clipped at the borders. 24/5 on 224 pixels gives 49 x 49 = 2,401 windows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from xmirad.errors import InvalidRequestError

Float64Array = npt.NDArray[np.float64]
WINDOW = 24
STRIDE = 5
LATTICES_KEPT = 8
"""For how many lattices a process keeps what follows from them alone; nearly all maps are of one or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLattice:
    """A square lattice of square windows on a square image; all lengths in pixels.

    Windows are numbered row by row, 0 to `windows` - 1.

    Attributes:
        size: Width and height of the image.
        window: Width and height of a window that no border clips.
        stride: Distance between neighboring windows, at most `window`, so that every pixel is covered.
    """

    size: int
    window: int = WINDOW
    stride: int = STRIDE

    def __post_init__(self) -> None:
        """Refuse windows that do not fit or leave pixels uncovered.

        Raises:
            InvalidRequestError: If size, window or stride is less than 1, the window is larger than the image, or the
                stride is larger than the window.
        """
        _check("size", self.size, highest=None)
        _check("window", self.window, highest=self.size)
        _check("stride", self.stride, highest=self.window)

    @property
    def per_axis(self) -> int:
        """Number of windows on each axis, n."""
        return -(-(self.size + self.window) // self.stride) - 1

    @property
    def windows(self) -> int:
        """Number of windows, n x n."""
        return self.per_axis**2

    def box(self, window: int) -> tuple[slice, slice]:
        """Return the rows and the columns that a window hides."""
        row, column = divmod(window, self.per_axis)
        return self._span(row), self._span(column)

    def memberships(self) -> Float64Array:
        """Return which pixels of an axis each window of that axis hides, `[n, size]`, 0 or 1; not to be written to.

        This is R for rows and, the lattice being square, also C for columns.
        """
        return _memberships(self)

    def _span(self, index: int) -> slice:
        top = (index + 1) * self.stride - self.window
        return slice(max(0, top), min(self.size, top + self.window))


@lru_cache(maxsize=LATTICES_KEPT)
def _memberships(lattice: WindowLattice) -> Float64Array:
    tops = np.arange(lattice.per_axis)[:, None] * lattice.stride + lattice.stride - lattice.window
    pixels = np.arange(lattice.size)
    members: Float64Array = ((pixels >= tops) & (pixels < tops + lattice.window)).astype(np.float64)
    members.setflags(write=False)
    return members


def _check(field: str, value: int, *, highest: int | None) -> None:
    if value >= 1 and (highest is None or value <= highest):
        return
    limits = {"value": str(value), "lowest": "1"}
    if highest is None:
        raise InvalidRequestError(f"{field} must be at least 1", field=field, metadata=limits)
    message = f"{field} must be 1 to {highest}"
    raise InvalidRequestError(message, field=field, metadata={**limits, "highest": str(highest)})
