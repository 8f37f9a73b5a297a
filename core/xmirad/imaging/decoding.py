"""One encoded image to a model's input, in this process. Trusted with nothing: call it in the sandbox only."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from xmirad.errors import InvalidImageError, PayloadTooLargeError, XmiradError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import DICOM, field_of, media_type_of
from xmirad.imaging.preprocessing import Preprocessing, prepare
from xmirad.imaging.raster import decode_raster
from xmirad.types import DecodedImage, DicomHeader, EncodedImage, UInt8Array

PICTURE_SIDE = 1024
"""Most pixels of a picture's longer side."""


def decode_image(image: EncodedImage, recipe: Preprocessing, limits: DecodeLimits) -> DecodedImage:
    """Decode an image and prepare it for a model.

    Raises:
        InvalidImageError: If it cannot be decoded.
        UnsupportedImageError: If no decoder for it is allowed.
        PayloadTooLargeError: If it exceeds a limit.
        InvalidRequestError: If media type or frame do not fit the file.
    """
    media_type = _checked_media_type(image, limits)
    with _errors(image, limits):
        pixels, header, notes = _decode(image, media_type, limits)
        prepared, geometry = prepare(pixels, recipe)
    return DecodedImage(prepared, geometry, media_type, header, notes)


def decode_picture(image: EncodedImage, limits: DecodeLimits) -> UInt8Array:
    """Decode an image for people to look at: all of it, scaled down to 1,024 pixels on its longer side if it is larger.

    Returns:
        uint8 RGB, `[height, width, 3]`.

    Raises:
        InvalidImageError: If it cannot be decoded.
        UnsupportedImageError: If no decoder for it is allowed.
        PayloadTooLargeError: If it exceeds a limit.
        InvalidRequestError: If media type or frame do not fit the file.
    """
    media_type = _checked_media_type(image, limits)
    with _errors(image, limits):
        whole, _, _ = _decode(image, media_type, limits)
        whole.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC)
        return np.array(whole.convert("RGB"))


def memory_exceeded(limits: DecodeLimits, *, field: str) -> PayloadTooLargeError:
    """Return the error for an image whose decoding takes more than the memory limit."""
    return PayloadTooLargeError(
        f"decoding the image takes more than the {limits.memory_bytes} bytes of memory that are allowed",
        field=field,
        metadata={"decode_memory_bytes": str(limits.memory_bytes)},
    )


def cause_of(error: BaseException) -> str:
    """Name an error's cause for the log: class and function, without its text, which may hold content."""
    cause = error.__cause__ or error
    frames = traceback.extract_tb(cause.__traceback__)
    return f"{type(cause).__name__} in {frames[-1].name}" if frames else type(cause).__name__


def _checked_media_type(image: EncodedImage, limits: DecodeLimits) -> str:
    limits.check_length(image.data, field=field_of(image))
    return media_type_of(image)


@contextmanager
def _errors(image: EncodedImage, limits: DecodeLimits) -> Iterator[None]:
    """Raise whatever decoders fail with as an error of ours."""
    field = field_of(image)
    try:
        yield
    except XmiradError:
        raise
    except MemoryError as error:
        raise memory_exceeded(limits, field=field) from error
    except Exception as error:
        raise InvalidImageError("the image cannot be decoded", field=field) from error


def _decode(
    image: EncodedImage, media_type: str, limits: DecodeLimits
) -> tuple[Image.Image, DicomHeader | None, tuple[str, ...]]:
    if media_type == DICOM:
        from xmirad.imaging.dicom.decode import decode_dicom

        return decode_dicom(image.data, image.frame, limits)
    pixels, notes = decode_raster(image.data, media_type, limits)
    return pixels, None, notes
