"""A DICOM file to an image and its header: the steps in their order."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from xmirad.errors import InvalidImageError
from xmirad.imaging.dicom.color import palette_colors, rgb_colors
from xmirad.imaging.dicom.display import gray_levels
from xmirad.imaging.dicom.frames import GRAY, PALETTE, choose_frame, pixel_layout, read_frame
from xmirad.imaging.dicom.header import read_header
from xmirad.imaging.dicom.instance import read_instance
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import DICOM_FIELD
from xmirad.types import DicomHeader

_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),\s?([0-9A-Fa-f]{4})\)")


def decode_dicom(
    data: bytes, frame: int | None, limits: DecodeLimits
) -> tuple[Image.Image, DicomHeader, tuple[str, ...]]:
    """Decode one frame of a DICOM instance.

    Returns:
        The image as displayed, in mode `L` or `RGB`, the allow-listed header, and notes on choices made.

    Raises:
        InvalidImageError: If the file cannot be decoded.
        UnsupportedImageError: If no decoder for its transfer syntax is allowed.
        PayloadTooLargeError: If a frame has too many pixels.
        InvalidRequestError: If the frame is not one of the instance's, or one must be chosen.
        Exception: Whatever pydicom raises on bytes that it cannot parse.
    """
    with warnings.catch_warnings(), _named_attributes():
        warnings.simplefilter("ignore")
        instance, syntax, notes = read_instance(data)
        layout = pixel_layout(instance, limits)
        number = choose_frame(frame, layout.frame_count)
        header = read_header(instance, frame=number, frame_count=layout.frame_count)
        stored = read_frame(instance, layout, syntax, number)
        choices: tuple[str, ...] = ()
        if layout.photometric in GRAY:
            levels, choices = gray_levels(stored, instance, number, layout.photometric)
        elif layout.photometric == PALETTE:
            levels, choices = palette_colors(stored, instance)
        else:
            levels = rgb_colors(stored)
    notes += choices
    if layout.frame_count > 1:
        notes += (f"frame {number} of {layout.frame_count}",)
    return Image.fromarray(levels), header, notes


@contextmanager
def _named_attributes() -> Iterator[None]:
    """Raise an exception that names an attribute of the file as an error that names it too, without its value."""
    try:
        yield
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError) as error:
        keyword = _attribute_named_by(error)
        if not keyword:
            raise
        raise InvalidImageError(
            f"{keyword} of the DICOM file is missing or not valid", field=DICOM_FIELD, metadata={"attribute": keyword}
        ) from error


def _attribute_named_by(error: Exception) -> str:
    """Return the keyword of the attribute that pydicom names by keyword or tag, or an empty string."""
    name = getattr(error, "name", None)
    if isinstance(name, str) and tag_for_keyword(name) is not None:
        return name
    tag = _TAG.search(str(error))
    return keyword_for_tag(int(tag[1] + tag[2], 16)) if tag else ""
