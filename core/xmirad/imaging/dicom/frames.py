"""One frame of an instance: is it what its header says, and what are its stored values."""

import math
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder

from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.imaging.dicom.codestream import FrameSize, claimed_size
from xmirad.imaging.dicom.syntaxes import DECODERS, NATIVE
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import DICOM_FIELD
from xmirad.imaging.scaling import Values

GRAY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"
_COLOR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
_PIXEL_KEYWORDS = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
_RLE = "1.2.840.10008.1.2.5"
_FRAGMENT_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """What an instance's header says of its pixels; all values checked.

    Attributes:
        keyword: Attribute that holds the pixels.
        columns: Width in pixels.
        rows: Height in pixels.
        samples: 1 or 3 values a pixel.
        bits_allocated: Bits that a value takes.
        bits_stored: Bits of it that count.
        photometric: Photometric Interpretation.
        frame_count: Number of frames.
    """

    keyword: str
    columns: int
    rows: int
    samples: int
    bits_allocated: int
    bits_stored: int
    photometric: str
    frame_count: int


def pixel_layout(instance: Dataset, limits: DecodeLimits) -> PixelLayout:
    """Read and check the description of an instance's pixels.

    Raises:
        InvalidImageError: If there are no pixels or their description is not valid.
        PayloadTooLargeError: If a frame has too many pixels.
    """
    keyword = next((keyword for keyword in _PIXEL_KEYWORDS if instance.get(keyword)), None)
    if keyword is None:
        raise InvalidImageError("the DICOM file has no pixels", field=DICOM_FIELD)
    rows, columns = _whole_number(instance, "Rows"), _whole_number(instance, "Columns")
    limits.check_size(columns, rows, field=DICOM_FIELD)
    photometric = str(instance.get("PhotometricInterpretation", ""))
    _require(photometric in GRAY | {PALETTE} | _COLOR, "PhotometricInterpretation")
    samples = _whole_number(instance, "SamplesPerPixel", 1)
    _require(samples == (3 if photometric in _COLOR else 1), "SamplesPerPixel")
    bits_allocated = _whole_number(instance, "BitsAllocated")
    _require(bits_allocated in _PIXEL_KEYWORDS[keyword], "BitsAllocated")
    bits_stored = _whole_number(instance, "BitsStored", bits_allocated)
    _require(1 <= bits_stored <= bits_allocated, "BitsStored")
    frame_count = _whole_number(instance, "NumberOfFrames", 1) or 1
    _require(1 <= frame_count <= len(instance[keyword].value) * 8, "NumberOfFrames")
    return PixelLayout(keyword, columns, rows, samples, bits_allocated, bits_stored, photometric, frame_count)


def choose_frame(frame: int | None, frame_count: int) -> int:
    """Return the frame to decode, counted from 1.

    Raises:
        InvalidRequestError: If there are several and none was chosen, or the chosen one does not exist.
    """
    if frame is None and frame_count == 1:
        return 1
    if frame is None or not 1 <= frame <= frame_count:
        raise InvalidRequestError(
            f"dicom_file.frame must be 1 to {frame_count}, the number of frames",
            field="dicom_file.frame",
            metadata={"frame_count": str(frame_count)} | ({} if frame is None else {"frame": str(frame)}),
        )
    return frame


def stored_values(instance: Dataset, layout: PixelLayout, syntax: str, frame: int) -> Values:
    """Decode one frame; YBR becomes RGB, and bits above Bits Stored are cleared.

    Returns:
        `[rows, columns]` or `[rows, columns, 3]`, in the type of the stored values.

    Raises:
        InvalidImageError: If the frame is not what the header says, or no decoder can read it.
    """
    decoder = get_decoder(syntax)
    if syntax in NATIVE:
        _check_native_length(len(instance[layout.keyword].value), layout)
        return decoder.as_array(instance, index=frame - 1)[0]
    _check_codestream(instance, layout, syntax, frame)
    return _decompressed(decoder, instance, DECODERS[syntax], frame)


def _decompressed(decoder: Decoder, instance: Dataset, plugins: tuple[str, ...], frame: int) -> Values:
    failure: BaseException | None = None
    for plugin in plugins:
        if plugin in decoder.available_plugins:
            try:
                return decoder.as_array(instance, index=frame - 1, decoding_plugin=plugin)[0]
            except (MemoryError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - a panic is no Exception, and the next one may do better
                failure = error
    raise InvalidImageError("no decoder can read the frame", field=DICOM_FIELD) from failure


def _check_native_length(length: int, layout: PixelLayout) -> None:
    samples = 2 if layout.photometric == "YBR_FULL_422" else layout.samples
    bits = layout.rows * layout.columns * samples * layout.bits_allocated * layout.frame_count
    if length < math.ceil(bits / 8):
        raise InvalidImageError("the DICOM file has fewer pixels than its header says", field=DICOM_FIELD)


def _check_codestream(instance: Dataset, layout: PixelLayout, syntax: str, frame: int) -> None:
    data = instance[layout.keyword].value
    _require(layout.frame_count <= len(data) // _FRAGMENT_HEADER_BYTES, "NumberOfFrames")
    if syntax == _RLE:
        return
    claimed = claimed_size(get_frame(data, frame - 1, number_of_frames=layout.frame_count))
    if claimed != FrameSize(layout.columns, layout.rows, layout.samples):
        raise InvalidImageError(
            "the size of the compressed frame is not that of the header",
            field=DICOM_FIELD,
            metadata={
                "width": str(layout.columns),
                "height": str(layout.rows),
                "codestream_width": str(claimed.width),
                "codestream_height": str(claimed.height),
            },
        )


def _whole_number(instance: Dataset, keyword: str, default: int | None = None) -> int:
    value: Any = instance.get(keyword)
    if value is None or value == "":
        value = default
    _require(isinstance(value, int), keyword)
    return int(value)


def _require(condition: bool, keyword: str) -> None:
    if not condition:
        raise InvalidImageError(
            f"{keyword} of the DICOM file is missing or not valid", field=DICOM_FIELD, metadata={"attribute": keyword}
        )
