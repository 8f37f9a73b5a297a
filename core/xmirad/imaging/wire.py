"""What the asking process and a decoder child say to each other: JSON messages, with pixels in shared memory.

Errors travel as data, by the name of their class out of a closed set. Nothing is ever unpickled.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from xmirad.errors import (
    InvalidImageError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnsupportedImageError,
    XmiradError,
)
from xmirad.imaging.kernel_locks import Lock
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.types import DecodedImage, DicomHeader, ImageGeometry, ItemAttributes, Patient, Sex, UInt8Array

MAX_MESSAGE_BYTES = 1 << 16
READY = b"ready"
FORK = b"fork"
MAX_CROP_SIZE = 1024
PIXELS_BYTES = MAX_CROP_SIZE * MAX_CROP_SIZE * 3
"""Length of the shared memory's first part, for the pixels."""
GRANTED = struct.Struct("<d")
"""The second part: the processor seconds that the child has allowed itself for the image, once it knows its size."""
IMAGE_OFFSET = PIXELS_BYTES + GRANTED.size
"""Where the third part begins, the encoded image."""

_ERRORS: dict[str, type[XmiradError]] = {
    error.__name__: error
    for error in (InvalidImageError, InvalidRequestError, PayloadTooLargeError, UnsupportedImageError)
}


def ready_message(refused: Iterable[Lock]) -> bytes:
    """Say that the fork server is ready, and what the kernel does not take from its children."""
    return _encode({"refused": sorted(refused)})


def refused_from_bytes(message: bytes) -> frozenset[Lock]:
    """Read what `ready_message` says.

    Raises:
        ValueError: If it is something else.
    """
    return frozenset(Lock(name) for name in json.loads(message)["refused"])


@dataclass(frozen=True, slots=True)
class Request:
    """An image to decode, whose bytes lie in the third part of the shared memory.

    Attributes:
        length: Length of the encoded image in bytes.
        media_type: Declared media type, or an empty string.
        frame: Frame of a DICOM instance, counted from 1, or None.
        recipe: How to prepare it, or None for a picture of all of it.
    """

    length: int
    media_type: str
    frame: int | None
    recipe: Preprocessing | None

    def to_bytes(self) -> bytes:
        """Encode the message."""
        return _encode(
            {
                "length": self.length,
                "media_type": self.media_type,
                "frame": self.frame,
                "recipe": self.recipe and self.recipe.to_json(),
            }
        )

    @classmethod
    def from_bytes(cls, message: bytes) -> "Request":
        """Decode the message."""
        data = json.loads(message)
        recipe = data["recipe"] and Preprocessing.from_json(data["recipe"])
        return cls(data["length"], data["media_type"], data["frame"], recipe)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an image was not decoded.

    Attributes:
        error: What to raise.
        cause: What went wrong inside, for the log; free of content.
        last: True if the child ends after this message.
    """

    error: XmiradError
    cause: str = ""
    last: bool = False

    def to_bytes(self) -> bytes:
        """Encode the message."""
        error = self.error
        described = {
            "class": type(error).__name__,
            "message": error.message,
            "field": error.field,
            "metadata": error.metadata,
        }
        return _encode({"error": described, "cause": self.cause, "last": self.last})


def success_to_bytes(decoded: DecodedImage) -> bytes:
    """Encode a decoded image without its pixels."""
    return _encode(
        {
            "geometry": asdict(decoded.geometry),
            "media_type": decoded.media_type,
            "dicom": None if decoded.dicom is None else asdict(decoded.dicom),
            "notes": decoded.notes,
        }
    )


def picture_to_bytes(picture: UInt8Array) -> bytes:
    """Encode the height and width of a picture."""
    return _encode({"picture": picture.shape[:2]})


def picture_size_from_bytes(message: bytes) -> tuple[int, int] | Failure:
    """Decode a child's answer to the request for a picture: its height and width.

    Raises:
        ValueError, KeyError, TypeError: If it is not one. Then the child is not to be trusted any further.
    """
    data = json.loads(message)
    if "error" in data:
        return _failure(data)
    height, width = (int(side) for side in data["picture"])
    if not (1 <= height <= MAX_CROP_SIZE and 1 <= width <= MAX_CROP_SIZE):
        raise ValueError("a picture of an impossible size")
    return height, width


def reply_from_bytes(message: bytes, pixels: UInt8Array) -> DecodedImage | Failure:
    """Decode a child's answer.

    Raises:
        ValueError, KeyError, TypeError: If it is not one. Then the child is not to be trusted any further.
    """
    data = json.loads(message)
    if "error" in data:
        return _failure(data)
    return DecodedImage(
        pixels=pixels,
        geometry=ImageGeometry(**{key: int(value) for key, value in data["geometry"].items()}),
        media_type=str(data["media_type"]),
        dicom=None if data["dicom"] is None else _header(data["dicom"]),
        notes=tuple(str(note) for note in data["notes"]),
    )


def limits_to_text(limits: DecodeLimits) -> str:
    """Write limits as a program argument."""
    return json.dumps(asdict(limits))


def limits_from_text(text: str) -> DecodeLimits:
    """Read limits from a program argument."""
    return DecodeLimits(**json.loads(text))


def _encode(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _failure(data: dict[str, Any]) -> Failure:
    described = data["error"]
    metadata = {str(key): str(value) for key, value in described["metadata"].items()}
    error = _ERRORS[described["class"]](str(described["message"]), field=str(described["field"]), metadata=metadata)
    return Failure(error, str(data["cause"]), bool(data["last"]))


def _header(data: dict[str, Any]) -> DicomHeader:
    patient, attributes = data.pop("patient"), data.pop("attributes")
    attributes["labels"] = tuple(attributes["labels"])
    if attributes["sex"] is not None:
        attributes["sex"] = Sex(attributes["sex"])
    return DicomHeader(
        **data | {"invalid_uids": tuple(str(keyword) for keyword in data["invalid_uids"])},
        patient=None if patient is None else Patient(**patient),
        attributes=ItemAttributes(**attributes),
    )
