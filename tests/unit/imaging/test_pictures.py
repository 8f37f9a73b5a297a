import io
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from support.dicom_files import dicom_file
from xmirad.errors import InvalidImageError, PayloadTooLargeError
from xmirad.imaging.decoding import PICTURE_SIDE, decode_picture
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE
from xmirad.imaging.sandbox import DecoderPool
from xmirad.types import EncodedImage

LIMITS = DecodeLimits()


def png(width: int, height: int) -> EncodedImage:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return EncodedImage(buffer.getvalue())


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    started = DecoderPool(LIMITS, children=1)
    started.start()
    with closing(started):
        yield started


def test_a_small_image_is_shown_pixel_by_pixel(pool: DecoderPool) -> None:
    image = png(300, 200)

    picture = pool.picture(image)

    np.testing.assert_array_equal(picture, np.array(Image.open(io.BytesIO(image.data))))


def test_a_large_image_is_scaled_down_and_not_cropped(pool: DecoderPool) -> None:
    picture = pool.picture(png(2 * PICTURE_SIDE, PICTURE_SIDE))

    assert picture.shape == (PICTURE_SIDE // 2, PICTURE_SIDE, 3)


def test_a_dicom_instance_is_shown_as_its_windows_say(pool: DecoderPool) -> None:
    dark_to_bright = np.tile(np.arange(64, dtype=np.uint16) * 64, (48, 1))
    image = EncodedImage(dicom_file(dark_to_bright), "application/dicom")

    picture = pool.picture(image)

    np.testing.assert_array_equal(picture, decode_picture(image, LIMITS))
    assert picture.shape == (48, 64, 3)
    assert picture[0, -1, 0] > picture[0, 0, 0]


def test_what_is_no_image_is_refused_and_the_next_one_shown(pool: DecoderPool) -> None:
    with pytest.raises(InvalidImageError):
        pool.picture(EncodedImage(b"\x89PNG\r\n\x1a\n and then nothing"))

    assert pool.picture(png(20, 10)).shape == (10, 20, 3)


def test_a_file_that_is_too_long_is_refused(pool: DecoderPool) -> None:
    with pytest.raises(PayloadTooLargeError):
        pool.picture(EncodedImage(bytes(LIMITS.max_bytes + 1)))


def test_pictures_and_model_inputs_share_a_decoder(pool: DecoderPool) -> None:
    decoded = pool.decode(png(300, 260), EFFICIENTNET_LITE)

    assert decoded.pixels.shape == (224, 224, 3)
    assert pool.picture(png(300, 260)).shape == (260, 300, 3)
