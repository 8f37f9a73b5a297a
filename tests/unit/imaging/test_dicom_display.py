"""Gray levels of DICOM frames, against a plain derivation from the Standard's text and against highdicom."""

import io
import itertools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from support.dicom_files import big_endian_file, dicom_dataset, dicom_file, lookup_table, to_bytes
from xmirad.imaging.dicom.decode import decode_dicom
from xmirad.imaging.limits import DecodeLimits

POLARITIES = list(itertools.product(["MONOCHROME1", "MONOCHROME2"], [None, "IDENTITY", "INVERSE"]))
HIGHDICOM_TOLERANCE = 2
VOI_TABLE = (np.sqrt(np.linspace(0, 1, 4096)) * 65535).astype(np.uint16)
MODALITY_TABLE = np.linspace(5, 4000, 4096).astype(np.uint16)


@dataclass(frozen=True)
class Kind:
    """Type and bits of stored values."""

    dtype: type
    bits: int

    def ramp(self) -> npt.NDArray[Any]:
        """Return all kinds of values of the type, `[64, 64]`."""
        lowest = -(1 << (self.bits - 1)) if np.issubdtype(self.dtype, np.signedinteger) else 0
        return np.linspace(lowest, lowest + (1 << self.bits) - 1, 4096).astype(self.dtype).reshape(64, 64)


KINDS = {
    "8 bits": Kind(np.uint8, 8),
    "12 bits": Kind(np.uint16, 12),
    "12 bits signed": Kind(np.int16, 12),
    "16 bits": Kind(np.uint16, 16),
    "16 bits signed": Kind(np.int16, 16),
}
STEPS: dict[str, dict[str, Any]] = {
    "window": {"WindowCenter": 600.25, "WindowWidth": 900},
    "window and rescale": {"WindowCenter": 100, "WindowWidth": 1500, "RescaleSlope": 1.5, "RescaleIntercept": -1024},
    "negative slope": {"WindowCenter": 0, "WindowWidth": 3000, "RescaleSlope": -1, "RescaleIntercept": 200},
    "two windows": {"WindowCenter": [300, 30], "WindowWidth": [500, 50]},
    "narrowest window": {"WindowCenter": 100, "WindowWidth": 1},
    "exact window": {"WindowCenter": 500, "WindowWidth": 700.5, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 500, "WindowWidth": 400, "VOILUTFunction": "SIGMOID"},
    "VOI LUT": {"VOILUTSequence": lookup_table(VOI_TABLE, first=0, bits=16)},
    "VOI LUT and rescale": {
        "VOILUTSequence": lookup_table(VOI_TABLE, first=-1024, bits=16, is_signed=True),
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    },
    "modality LUT and window": {
        "ModalityLUTSequence": lookup_table(MODALITY_TABLE, first=0, bits=16),
        "WindowCenter": 2000,
        "WindowWidth": 3000,
    },
}


def decode(data: bytes, frame: int | None = None) -> npt.NDArray[np.uint8]:
    return np.asarray(decode_dicom(data, frame, DecodeLimits())[0])


def looked_up(table: npt.NDArray[Any], first: int, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    positions = [min(max(int(np.floor(value)) - first, 0), len(table) - 1) for value in values.flat]
    return table[positions].reshape(values.shape)


def linear(x: float, center: float, width: float) -> float:
    """PS3.3 C.11.2.1.2.1, to 0..1."""
    if x <= center - 0.5 - (width - 1) / 2:
        return 0.0
    if x > center - 0.5 + (width - 1) / 2:
        return 1.0
    return (x - (center - 0.5)) / (width - 1) + 0.5


def linear_exact(x: float, center: float, width: float) -> float:
    """PS3.3 C.11.2.1.3.2, to 0..1."""
    if x <= center - width / 2:
        return 0.0
    return 1.0 if x > center + width / 2 else (x - center) / width + 0.5


def sigmoid(x: float, center: float, width: float) -> float:
    """PS3.3 C.11.2.1.3.1, to 0..1."""
    return float(1 / (1 + np.exp(-4 * (x - center) / width)))


WINDOWS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}


def derived(stored: npt.NDArray[Any], steps: dict[str, Any], photometric: str, shape: str | None) -> npt.NDArray[Any]:
    """Work the display out pixel by pixel, as a number from 0 to 255."""
    values = stored.astype(float)
    if "ModalityLUTSequence" in steps:
        values = looked_up(MODALITY_TABLE, 0, values).astype(float)
    values = values * steps.get("RescaleSlope", 1) + steps.get("RescaleIntercept", 0)
    if "VOILUTSequence" in steps:
        first = -1024 if "RescaleIntercept" in steps else 0
        shown = looked_up(VOI_TABLE, first, values) / 65535
    else:
        center, width = (np.atleast_1d(steps[keyword])[0] for keyword in ("WindowCenter", "WindowWidth"))
        window = WINDOWS[steps.get("VOILUTFunction", "LINEAR")]
        shown = np.array([window(value, center, width) for value in values.flat]).reshape(values.shape)
    is_inverted = shape == "INVERSE" or (shape is None and photometric == "MONOCHROME1")
    return 255 * (1 - shown if is_inverted else shown)


def attributes(steps: dict[str, Any], kind: Kind, photometric: str, shape: str | None) -> dict[str, Any]:
    described = {"BitsStored": kind.bits, "PhotometricInterpretation": photometric, **steps}
    return described if shape is None else {**described, "PresentationLUTShape": shape}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_gray_levels_are_those_of_the_standards_formulas(kind: str, step: str) -> None:
    stored = KINDS[kind].ramp()
    for photometric, shape in POLARITIES:
        actual = decode(dicom_file(stored, **attributes(STEPS[step], KINDS[kind], photometric, shape)))
        assert np.abs(actual - derived(stored, STEPS[step], photometric, shape)).max() <= 0.51


@pytest.mark.parametrize("step", [step for step in STEPS if step != "narrowest window"])  # highdicom divides by zero
@pytest.mark.parametrize("kind", KINDS)
def test_gray_levels_are_those_of_highdicom(kind: str, step: str) -> None:
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    for photometric, shape in POLARITIES:
        data = dicom_file(KINDS[kind].ramp(), **attributes(STEPS[step], KINDS[kind], photometric, shape))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = highdicom.imread(io.BytesIO(data)).get_frame(
                1, apply_real_world_transform=False, apply_voi_transform=True, voi_output_range=(0.0, 255.0)
            )
        assert np.abs(decode(data) - expected).max() <= HIGHDICOM_TOLERANCE


def test_a_table_of_12_bits_is_shown_over_its_full_range() -> None:
    table = lookup_table((VOI_TABLE // 16).astype(np.uint16), first=0, bits=12)
    actual = decode(dicom_file(KINDS["12 bits"].ramp(), BitsStored=12, VOILUTSequence=table))
    expected = looked_up(VOI_TABLE // 16, 0, KINDS["12 bits"].ramp()) / 4095 * 255
    assert np.abs(actual - expected).max() <= 0.51


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "8 bits"])
def test_without_a_window_the_percentile_range_is_shown(kind: str) -> None:
    stored = KINDS[kind].ramp()
    low, high = np.sort(stored.ravel())[[20, 4075]].astype(float)
    expected = np.clip((stored.astype(float) - low) / (high - low) * 255, 0, 255)
    assert np.abs(decode(dicom_file(stored, BitsStored=KINDS[kind].bits)) - expected).max() <= 0.51


def test_the_percentile_range_is_taken_after_the_modality_step() -> None:
    stored = KINDS["12 bits"].ramp()
    rising = decode(dicom_file(stored, RescaleSlope=2, RescaleIntercept=-7))
    falling = decode(dicom_file(stored, RescaleSlope=-2, RescaleIntercept=-7))
    assert rising[0, 0] == falling[-1, -1] == 0
    assert rising[-1, -1] == falling[0, 0] == 255


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowCenter": "", "WindowWidth": 100},
        {"WindowCenter": 10, "WindowWidth": 0},
        {"WindowCenter": 10, "WindowWidth": 0.5},
        {"WindowCenter": 10, "WindowWidth": -5, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 10},
    ],
    ids=str,
)
def test_an_unusable_window_is_passed_over_and_noted(window: dict[str, Any]) -> None:
    stored = KINDS["12 bits"].ramp()
    _, _, notes = decode_dicom(dicom_file(stored, **window), None, DecodeLimits())
    assert notes == ("no usable window: percentiles",)
    np.testing.assert_array_equal(decode(dicom_file(stored, **window)), decode(dicom_file(stored)))


def test_the_window_taken_is_noted() -> None:
    _, _, notes = decode_dicom(dicom_file(KINDS["12 bits"].ramp(), **STEPS["two windows"]), None, DecodeLimits())
    assert notes == ("window 1 of 2",)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, -1990])
def test_padding_is_black_and_takes_no_part_in_the_percentiles(photometric: str, limit: int | None) -> None:
    stored = np.tile(np.arange(100, 200, dtype=np.int16), (100, 1))
    padded = stored.copy()
    padded[:, :30] = -2000 if limit is None else -1995
    padding = {"PixelPaddingValue": -2000} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    actual = decode(dicom_file(padded, multi_frame=False, PhotometricInterpretation=photometric, **padding))
    assert set(actual[:, :30].flat) == {0}
    expected = decode(dicom_file(np.ascontiguousarray(stored[:, 30:]), PhotometricInterpretation=photometric))
    np.testing.assert_array_equal(actual[:, 30:], expected)


def test_a_constant_image_is_black() -> None:
    assert set(decode(dicom_file(np.full((20, 20), 7, np.uint16))).flat) == {0}


def test_32_bit_and_floating_point_values_are_shown() -> None:
    wide = (np.arange(4096, dtype=np.uint32) * 1_000_000).reshape(64, 64)
    narrow = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    assert np.abs(decode(dicom_file(wide)).astype(int) - decode(dicom_file(narrow))).max() <= 1
    instance = dicom_dataset(wide)
    del instance.PixelData, instance.BitsStored, instance.HighBit, instance.PixelRepresentation
    instance.FloatPixelData = (narrow / 4096).astype(np.float32).tobytes()
    assert np.abs(decode(to_bytes(instance)).astype(int) - decode(dicom_file(narrow))).max() <= 1


def test_big_endian_values_and_tables_are_read() -> None:
    stored = KINDS["12 bits"].ramp()
    for step in STEPS.values():
        np.testing.assert_array_equal(
            decode(big_endian_file(stored, BitsStored=12, **step)), decode(dicom_file(stored, BitsStored=12, **step))
        )


def test_tables_may_be_stored_as_words_or_bytes() -> None:
    stored = KINDS["8 bits"].ramp()
    entries = np.arange(256)[::-1]
    for stored_entries, bits in ((entries.astype("<u2"), 8), (entries.astype(np.uint8), 8)):
        table = lookup_table(entries.astype(np.uint16), first=0, bits=bits)
        table[0].add_new("LUTData", "OW", stored_entries.tobytes())
        np.testing.assert_array_equal(decode(dicom_file(stored, VOILUTSequence=table)), 255 - stored)


@pytest.mark.parametrize("place", ["shared", "frame"])
def test_functional_groups_of_the_frame_are_used(place: str) -> None:
    stored = np.stack([KINDS["12 bits"].ramp()] * 2)

    def groups(center: float) -> Dataset:
        rescale, window, item = Dataset(), Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 2, -100, "US"
        window.WindowCenter, window.WindowWidth = center, 800
        item.PixelValueTransformationSequence, item.FrameVOILUTSequence = Sequence([rescale]), Sequence([window])
        return item

    instance = dicom_dataset(stored, multi_frame=True, BitsStored=12, WindowCenter=1, WindowWidth=2)
    if place == "shared":
        instance.SharedFunctionalGroupsSequence = Sequence([groups(900)])
    else:
        instance.PerFrameFunctionalGroupsSequence = Sequence([groups(100), groups(900)])
    steps = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 900, "WindowWidth": 800}
    expected = derived(stored[1], steps, "MONOCHROME2", None)
    assert np.abs(decode(to_bytes(instance), 2) - expected).max() <= 0.51


def test_the_generator_writes_what_it_is_told() -> None:
    instance = dcmread(io.BytesIO(dicom_file(KINDS["12 bits signed"].ramp(), BitsStored=12)))
    np.testing.assert_array_equal(instance.pixel_array, KINDS["12 bits signed"].ramp())
