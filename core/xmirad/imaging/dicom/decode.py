"""A DICOM file to an image and its header: the steps in their order."""

import warnings

from PIL import Image

from xmirad.imaging.dicom.color import palette_colors, rgb_colors
from xmirad.imaging.dicom.display import gray_levels
from xmirad.imaging.dicom.frames import GRAY, PALETTE, choose_frame, pixel_layout, stored_values
from xmirad.imaging.dicom.header import read_header
from xmirad.imaging.dicom.instance import read_instance
from xmirad.imaging.limits import DecodeLimits
from xmirad.types import DicomHeader


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        instance, syntax = read_instance(data)
        layout = pixel_layout(instance, limits)
        number = choose_frame(frame, layout.frame_count)
        header = read_header(instance, frame=number, frame_count=layout.frame_count)
        stored = stored_values(instance, layout, syntax, number)
        notes: tuple[str, ...] = ()
        if layout.photometric in GRAY:
            levels, notes = gray_levels(stored, instance, number)
        elif layout.photometric == PALETTE:
            levels = palette_colors(stored, instance)
        else:
            levels = rgb_colors(stored, layout)
    if layout.frame_count > 1:
        notes += (f"frame {number} of {layout.frame_count}",)
    return Image.fromarray(levels), header, notes
