"""Files of tests/data/images/dicom that contradict themselves as real ones do, and the picture that each holds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.imaging.decoding import decode_picture
from xmirad.imaging.limits import DecodeLimits
from xmirad.types import EncodedImage, UInt8Array

FOLDER = Path(__file__).parents[2] / "data" / "images" / "dicom"
PICTURES = sorted(FOLDER.glob("*.dcm"))
LOSSY_TOLERANCE = 6
TOLERANCES = {
    "jpeg-baseline-8-bit-bits-allocated-16": LOSSY_TOLERANCE,
    "jpeg-baseline-planar-configuration-1": LOSSY_TOLERANCE,
    "jpeg-extended-12-bit": LOSSY_TOLERANCE,
    "padding-48-lossy-jpeg2000-no-window": 16,  # compressed to a 28th of its size
    "float-pixel-padding-value": 1,
}
FRAMES = {"ten-frames-said-nine-there": 2}
REFUSED = {"bits-allocated-12-packed": "BitsAllocated", "ybr-partial-422-native": "PhotometricInterpretation"}


def picture_of(name: str, frame: int | None) -> UInt8Array:
    return decode_picture(EncodedImage((FOLDER / f"{name}.dcm").read_bytes(), "", frame), DecodeLimits())


@pytest.mark.parametrize("name", [path.stem for path in PICTURES if path.stem not in REFUSED])
def test_a_file_that_contradicts_itself_is_shown_right(name: str) -> None:
    expected = np.asarray(Image.open(FOLDER / f"{name}.right.png").convert("RGB")).astype(int)
    actual = picture_of(name, FRAMES.get(name))
    assert np.abs(actual - expected).max() <= TOLERANCES.get(name, 0)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_decoded_is_refused_with_the_attribute(name: str) -> None:
    with pytest.raises(InvalidImageError) as caught:
        picture_of(name, None)
    assert caught.value.metadata == {"attribute": REFUSED[name]}
    assert REFUSED[name] in caught.value.message


def test_a_frame_that_the_file_lacks_is_refused() -> None:
    with pytest.raises(InvalidImageError, match="fewer pixels"):
        picture_of("ten-frames-said-nine-there", 10)
    with pytest.raises(InvalidRequestError):
        picture_of("ten-frames-said-nine-there", 11)
