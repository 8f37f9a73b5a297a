"""The sample files that come with pydicom: real scanners, odd files, broken files."""

import io
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from xmirad.errors import InvalidRequestError, XmiradError
from xmirad.imaging.dicom.decode import decode_dicom
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE
from xmirad.imaging.sandbox import DecoderPool
from xmirad.types import DecodedImage, EncodedImage

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
ANSWER_SECONDS = 5.0
DECODABLE = 83
COMPARABLE = 38
TOLERANCE = 2


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(DecodeLimits(), children=1)
    pool.start()
    yield pool
    pool.close()


def samples() -> list[Path]:
    return sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def decode(pool: DecoderPool, data: bytes) -> DecodedImage | XmiradError:
    try:
        return pool.decode(EncodedImage(data, "application/dicom"), EFFICIENTNET_LITE)
    except InvalidRequestError:
        try:
            return pool.decode(EncodedImage(data, "application/dicom", 1), EFFICIENTNET_LITE)
        except XmiradError as error:
            return error
    except XmiradError as error:
        return error


def test_every_sample_is_decoded_or_refused_in_time(pool: DecoderPool) -> None:
    children = set(pool.process_ids())
    decoded = 0
    for path in samples():
        begin = time.monotonic()
        answer = decode(pool, path.read_bytes())
        assert time.monotonic() - begin < ANSWER_SECONDS, path.name
        decoded += isinstance(answer, DecodedImage)
        assert isinstance(answer, DecodedImage) or answer.field.startswith("dicom_file"), path.name
    assert decoded >= DECODABLE
    assert children <= set(pool.process_ids())


def test_windowed_samples_look_as_highdicom_shows_them() -> None:
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    compared = 0
    for path in samples():
        data = path.read_bytes()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image, _, notes = decode_dicom(data, None, DecodeLimits())
                expected = highdicom.imread(io.BytesIO(data)).get_frame(
                    1, apply_real_world_transform=False, apply_voi_transform=True, voi_output_range=(0.0, 255.0)
                )
        except Exception:  # noqa: BLE001, S112 - what either cannot read is compared nowhere
            continue
        if "window 1 of 1" in notes:
            assert np.abs(np.asarray(image) - expected).max() <= TOLERANCE, path.name
            compared += 1
    assert compared >= COMPARABLE
