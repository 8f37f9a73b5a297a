"""What kind of file an image is, by its first bytes and by what its sender says."""

from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.types import EncodedImage

DICOM = "application/dicom"
RASTER_FIELD = "image"
DICOM_FIELD = "dicom_file"

_DICOM_MARK = slice(128, 132)
_MARKS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"BM": "image/bmp",
}


def field_of(image: EncodedImage) -> str:
    """Return the request field that an image came in: `dicom_file` or `image`."""
    is_dicom = image.media_type == DICOM or (not image.media_type and _has_dicom_mark(image.data))
    return DICOM_FIELD if is_dicom else RASTER_FIELD


def media_type_of(image: EncodedImage) -> str:
    """Return an image's media type.

    A file may bear the marks of two types, since a DICOM file begins with 128 bytes of anything. Then the declared type
    decides; without one it is a DICOM file.

    Raises:
        InvalidImageError: If it is of no type that is decoded here.
        InvalidRequestError: If it is not of the declared type, or a frame is asked of what is no DICOM file.
    """
    detected = {media_type for mark, media_type in _MARKS.items() if image.data.startswith(mark)}
    if _has_dicom_mark(image.data):
        detected.add(DICOM)
    if image.media_type == DICOM and DICOM not in detected:
        raise InvalidImageError("the file is no DICOM Part 10 file", field=DICOM_FIELD)
    if not detected:
        raise InvalidImageError("the file is no PNG, JPEG, TIFF or BMP image and no DICOM file", field=RASTER_FIELD)
    if image.media_type and image.media_type not in detected:
        raise InvalidRequestError(
            "the media type does not agree with the image",
            field="image.media_type",
            metadata={"detected_media_type": ", ".join(sorted(detected))},
        )
    media_type = image.media_type or (DICOM if DICOM in detected else detected.pop())
    if image.frame is not None and media_type != DICOM:
        raise InvalidRequestError("only DICOM files have frames to choose from", field="dicom_file.frame")
    return media_type


def _has_dicom_mark(data: bytes) -> bool:
    return data[_DICOM_MARK] == b"DICM"
