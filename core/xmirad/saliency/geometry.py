"""From the map's pixels to the original's and back: the crop and the resizing undone.

Places are (row, column) in pixels; 0 is the center of the first pixel, so that half a pixel lies outside it on either
side.
"""

from dataclasses import dataclass

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.saliency.interpolation import cell_weights
from xmirad.saliency.lattice import Float64Array
from xmirad.types import Float32Array, ImageGeometry


@dataclass(frozen=True, slots=True)
class Point:
    """A place on an image, in pixels; whole numbers are centers of pixels.

    Attributes:
        row: From the top.
        column: From the left.
    """

    row: float
    column: float


@dataclass(frozen=True, slots=True)
class _Axis:
    original: int
    resized: int
    crop: int

    def to_original(self, place: float) -> float:
        return (place + self.crop + 0.5) * self.original / self.resized - 0.5

    def to_map(self, place: float) -> float:
        return (place + 0.5) * self.resized / self.original - 0.5 - self.crop


def to_original(geometry: ImageGeometry, point: Point) -> Point:
    """Return where a place on the map lies on the original."""
    rows, columns = _axes(geometry)
    return Point(rows.to_original(point.row), columns.to_original(point.column))


def to_map(geometry: ImageGeometry, point: Point) -> Point:
    """Return where a place on the original lies on the map.

    Raises:
        InvalidRequestError: If it lies outside the original, or outside the crop that the model has seen.
    """
    check_inside(point, height=geometry.original_height, width=geometry.original_width)
    rows, columns = _axes(geometry)
    on_map = Point(rows.to_map(point.row), columns.to_map(point.column))
    check_inside(on_map, height=geometry.crop_size, width=geometry.crop_size, what="the part of it that the model sees")
    return on_map


def check_inside(point: Point, *, height: int, width: int, what: str = "the image") -> None:
    """Check that a place lies on an image.

    Args:
        point: The place.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        what: What the error calls the image.

    Raises:
        InvalidRequestError: If it does not.
    """
    if -0.5 <= point.row < height - 0.5 and -0.5 <= point.column < width - 0.5:
        return
    metadata = {"row": f"{point.row:g}", "column": f"{point.column:g}", "height": str(height), "width": str(width)}
    raise InvalidRequestError(f"the point lies outside {what}", field="point", metadata=metadata)


def on_picture(geometry: ImageGeometry, values: Float32Array, *, height: int, width: int) -> Float32Array:
    """Lay a map on a picture of the whole original.

    Args:
        geometry: How the map's pixels were made from the original's.
        values: The map, `[S, S]`.
        height: Height of the picture, which shows the original at any scale.
        width: Width of the picture.

    Returns:
        `[height, width]`, interpolated bilinearly; 0 where the model saw nothing.
    """
    rows, columns = _axes(geometry)
    size = geometry.crop_size
    vertical = _placement(_Axis(height, rows.resized, rows.crop), size)
    horizontal = _placement(_Axis(width, columns.resized, columns.crop), size)
    return np.asarray(vertical @ values @ horizontal.T, dtype=np.float32)


def _axes(geometry: ImageGeometry) -> tuple[_Axis, _Axis]:
    return (
        _Axis(geometry.original_height, geometry.resized_height, geometry.crop_top),
        _Axis(geometry.original_width, geometry.resized_width, geometry.crop_left),
    )


def _placement(axis: _Axis, size: int) -> Float64Array:
    """Return how much each pixel of the map counts at each pixel of the picture, `[original, size]`."""
    places = (np.arange(axis.original) + 0.5) * axis.resized / axis.original - 0.5 - axis.crop
    seen = (places >= -0.5) & (places < size - 0.5)
    placed: Float64Array = cell_weights(places, cells=size, size=size) * seen[:, None]
    return placed
