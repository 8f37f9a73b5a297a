"""Pictures and uploads that a fake service understands, and collecting what becomes of them."""

from collections.abc import Iterator

import pytest

from xmirad.client import Upload
from xmirad.client.types import UploadOutcome
from xmirad.types import EncodedImage


def picture(number: int) -> EncodedImage:
    return EncodedImage(f"image {number}".encode(), "image/png")


def upload(number: int, *, prefix: str = "image") -> Upload:
    image = EncodedImage(f"{prefix} {number}".encode(), "image/png")
    return Upload(image, correlation_id=f"c{number}", external_id=f"x{number}")


def collect(outcomes: Iterator[UploadOutcome], error: type[Exception]) -> tuple[list[UploadOutcome], Exception]:
    """Return the outcomes that come before an iterator raises."""
    seen: list[UploadOutcome] = []
    with pytest.raises(error) as caught:
        seen.extend(outcomes)
    return seen, caught.value
