import json
from dataclasses import replace

import numpy as np
import pytest

from xmirad.errors import (
    InvalidImageError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnsupportedImageError,
    XmiradError,
)
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import IMAGENET
from xmirad.imaging.wire import (
    Failure,
    Request,
    limits_from_text,
    limits_to_text,
    reply_from_bytes,
    success_to_bytes,
)
from xmirad.types import DecodedImage, DicomHeader, ImageGeometry, ItemAttributes, Patient, Sex

PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
GEOMETRY = ImageGeometry(3, 4, 5, 6, 7, 8, 9)
ATTRIBUTES = ItemAttributes(
    modality="DX", body_part="CHEST", view_position="PA", year=2019, sex=Sex.FEMALE, age_band=60
)


@pytest.mark.parametrize(
    "header",
    [
        None,
        DicomHeader("1.2", "1.2.3", "1.2.3.4", 2, 7),
        DicomHeader("", "", "1.2.3.4", 1, 1, invalid_uids=("StudyInstanceUID", "SeriesInstanceUID")),
        DicomHeader("1.2", "1.2.3", "1.2.3.4", 1, 1, Patient("Müller\\7", "SITE"), ATTRIBUTES),
    ],
    ids=["raster", "bare", "without UIDs", "full"],
)
def test_a_decoded_image_survives_the_wire(header: DicomHeader | None) -> None:
    decoded = DecodedImage(PIXELS, GEOMETRY, "application/dicom", header, ("window 1 of 2",))
    reply = reply_from_bytes(success_to_bytes(decoded), PIXELS)
    assert isinstance(reply, DecodedImage)
    assert reply.pixels is PIXELS
    one = PIXELS[0, 0, :1]  # from Python 3.13 on, data classes compare by the truth of each field's comparison
    assert replace(reply, pixels=one) == replace(decoded, pixels=one)


@pytest.mark.parametrize("kind", [InvalidImageError, InvalidRequestError, PayloadTooLargeError, UnsupportedImageError])
def test_an_error_survives_the_wire(kind: type[XmiradError]) -> None:
    error = kind("why", field="dicom_file.frame", metadata={"frame_count": "7"})
    reply = reply_from_bytes(Failure(error, "ValueError in f", last=True).to_bytes(), PIXELS)
    assert isinstance(reply, Failure)
    assert type(reply.error) is kind
    assert (reply.error.message, reply.error.field, reply.error.metadata) == ("why", error.field, error.metadata)
    assert (reply.cause, reply.last) == ("ValueError in f", True)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        json.dumps({"error": {"class": "InternalError", "message": "", "field": "", "metadata": {}}}).encode(),
        json.dumps({"error": {"class": "os.system"}}).encode(),
        json.dumps({"geometry": {"crop_size": 1}, "media_type": "", "dicom": None, "notes": []}).encode(),
    ],
)
def test_what_is_no_answer_is_refused(message: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        reply_from_bytes(message, PIXELS)


def test_a_request_survives_the_wire() -> None:
    request = Request(17, "image/png", None, IMAGENET)
    assert Request.from_bytes(request.to_bytes()) == request


def test_limits_survive_the_command_line() -> None:
    limits = DecodeLimits(max_bytes=5, wall_seconds=0.5)
    assert limits_from_text(limits_to_text(limits)) == limits
