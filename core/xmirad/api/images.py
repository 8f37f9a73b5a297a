"""Encoded images in requests: a raster image or a DICOM file."""

from typing import Protocol

from xmirad.api.v1 import resources_pb2
from xmirad.errors import InvalidImageError, InvalidRequestError, PayloadTooLargeError
from xmirad.imaging.media import DICOM, is_dicom_file
from xmirad.types import EncodedImage

RASTER_TYPES = (
    "image/png",
    "image/jpeg",
    "image/tiff",
    "image/bmp",
    "image/webp",
    "image/heic",
    "image/heif",
    "image/avif",
)
MEDIA_TYPES = (*RASTER_TYPES, DICOM)


class ImageSource(Protocol):
    """A message with the oneof `source` of `image` and `dicom_file`: ItemUpload, SearchRequest, EmbedImageRequest."""

    image: resources_pb2.Image
    dicom_file: resources_pb2.DicomFile

    def WhichOneof(self, oneof_group: str, /) -> str | None: ...  # noqa: D102 - protobuf's


def encoded_image_from_proto(message: ImageSource, *, max_image_bytes: int, field: str = "") -> EncodedImage:
    """Read the image of a message that lies at `field` in its request.

    Raises:
        InvalidRequestError: If there is no image, or its media type or frame is not allowed.
        InvalidImageError: If it is empty.
        PayloadTooLargeError: If it has more than `max_image_bytes`.
    """
    prefix = f"{field}." if field else ""
    source = message.WhichOneof("source")
    if source == "image":
        image = EncodedImage(message.image.data, _media_type(message.image, field=f"{prefix}image.media_type"))
    elif source == "dicom_file":
        image = EncodedImage(
            message.dicom_file.data, DICOM, _frame(message.dicom_file, field=f"{prefix}dicom_file.frame")
        )
    else:
        raise InvalidRequestError(f"{prefix}image or {prefix}dicom_file must be set", field=f"{prefix}image")
    _check_length(image, max_image_bytes, field=f"{prefix}{source}.data")
    return image


def image_to_proto(image: EncodedImage) -> resources_pb2.Image | resources_pb2.DicomFile:
    """Write an image: as a DICOM file if it says so, asks for a frame, or begins as one."""
    is_dicom = image.media_type == DICOM or image.frame is not None
    if is_dicom or (not image.media_type and is_dicom_file(image.data)):
        return resources_pb2.DicomFile(data=image.data, frame=image.frame)
    return resources_pb2.Image(data=image.data, media_type=image.media_type)


def _media_type(image: resources_pb2.Image, *, field: str) -> str:
    if image.media_type and image.media_type not in RASTER_TYPES:
        allowed = ", ".join(RASTER_TYPES)
        message = f"{field} must be one of {allowed}; a DICOM instance goes into dicom_file"
        raise InvalidRequestError(message, field=field, metadata={"allowed": allowed})
    return image.media_type


def _frame(dicom_file: resources_pb2.DicomFile, *, field: str) -> int | None:
    if not dicom_file.HasField("frame"):
        return None
    if dicom_file.frame < 1:
        raise InvalidRequestError(f"{field} must be at least 1", field=field, metadata={"minimum": "1"})
    return dicom_file.frame


def _check_length(image: EncodedImage, maximum: int, *, field: str) -> None:
    length = len(image.data)
    if not length:
        raise InvalidImageError(f"{field} is empty", field=field)
    if length > maximum:
        message = f"{field} has {length} bytes; at most {maximum} are allowed"
        limit = {"max_image_bytes": str(maximum), "image_bytes": str(length)}
        raise PayloadTooLargeError(message, field=field, metadata=limit)
