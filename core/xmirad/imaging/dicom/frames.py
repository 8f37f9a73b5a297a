"""One frame of an instance: is it what its header says, and what are its stored values.

Where header and codestream contradict each other, the codestream counts: it is what the decoder decodes.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import gdcm
import numpy as np
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame, parse_fragments
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import UID

from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.imaging.damaged import OTHER_TAIL
from xmirad.imaging.dicom.codestream import END_MARKER, Codestream, read_codestream
from xmirad.imaging.dicom.instance import code_string
from xmirad.imaging.dicom.syntaxes import DECODERS, JPEG, JPEG_LS, LOSSY, NATIVE, RLE
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import DICOM_FIELD
from xmirad.imaging.scaling import Values

GRAY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"
YBR = frozenset({"YBR_FULL", "YBR_FULL_422"})
_JPEG_2000_COLOR = frozenset({"YBR_ICT", "YBR_RCT"})
_COLOR = _JPEG_2000_COLOR | YBR | {"RGB"}
_PIXEL_KEYWORDS = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
_FRAGMENT_HEADER_BYTES = 8
_BYTE_BITS = 8
_WORD_BITS = 16
_JPEG_BITS = 12


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
        high_bit: Number of the highest of them, counted from 0.
        is_signed: Whether the values are signed.
        planar_configuration: 1 if uncompressed colors lie in planes, else 0.
        photometric: Photometric Interpretation.
        frame_count: Number of frames.
    """

    keyword: str
    columns: int
    rows: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    planar_configuration: int
    photometric: str
    frame_count: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The stored values of one frame.

    Attributes:
        values: `[rows, columns]` or `[rows, columns, 3]`, in the byte order of this machine; signed values are signed.
        bits: Bits of a value that count; of floating-point values all.
        photometric: Color space of the values.
        is_lossy: Whether compression may have changed the values.
    """

    values: Values
    bits: int
    photometric: str
    is_lossy: bool

    @property
    def value_range(self) -> tuple[int, int]:
        """Return the lowest and the highest whole number that the values can be."""
        return value_range(self.bits, is_signed=self.values.dtype.kind == "i")


def pixel_layout(instance: Dataset, limits: DecodeLimits) -> PixelLayout:
    """Read and check the description of an instance's pixels.

    A missing Planar Configuration is read as 0, a missing or impossible High Bit as one less than Bits Stored.

    Raises:
        InvalidImageError: If there are no pixels or their description is not valid.
        PayloadTooLargeError: If a frame has too many pixels.
    """
    keyword = next((keyword for keyword in _PIXEL_KEYWORDS if instance.get(keyword)), None)
    if keyword is None:
        raise InvalidImageError("the DICOM file has no pixels", field=DICOM_FIELD)
    rows, columns = _whole_number(instance, "Rows"), _whole_number(instance, "Columns")
    limits.check_size(columns, rows, field=DICOM_FIELD)
    photometric = code_string(instance, "PhotometricInterpretation")
    _require(photometric in GRAY | {PALETTE} | _COLOR, "PhotometricInterpretation")
    samples = _whole_number(instance, "SamplesPerPixel", 1)
    _require(samples == (3 if photometric in _COLOR else 1), "SamplesPerPixel")
    planar_configuration = _whole_number(instance, "PlanarConfiguration", 0)
    _require(planar_configuration in (0, 1), "PlanarConfiguration")
    bits_allocated = _whole_number(instance, "BitsAllocated")
    _require(bits_allocated in _PIXEL_KEYWORDS[keyword], "BitsAllocated")
    bits_stored = _whole_number(instance, "BitsStored", bits_allocated)
    _require(1 <= bits_stored <= bits_allocated, "BitsStored")
    high_bit = _whole_number(instance, "HighBit", bits_stored - 1)
    sign = _whole_number(instance, "PixelRepresentation", None if keyword == "PixelData" else 0)
    _require(sign in (0, 1), "PixelRepresentation")
    frame_count = _whole_number(instance, "NumberOfFrames", 1) or 1
    _require(1 <= frame_count <= len(instance[keyword].value) * 8, "NumberOfFrames")
    return PixelLayout(
        keyword=keyword,
        columns=columns,
        rows=rows,
        samples=samples,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit if bits_stored <= high_bit + 1 <= bits_allocated else bits_stored - 1,
        is_signed=sign == 1,
        planar_configuration=planar_configuration,
        photometric=photometric,
        frame_count=frame_count,
    )


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


def read_frame(instance: Dataset, layout: PixelLayout, syntax: str, number: int) -> Frame:
    """Decode one frame: bits outside of Bits Stored are cleared, signs extended, colors left in their color space.

    Raises:
        InvalidImageError: If the frame is not what the header says, or no decoder can read it.
    """
    is_lossy = syntax in LOSSY
    photometric, word_bits = layout.photometric, layout.bits_allocated
    if syntax in NATIVE:
        words = _native_words(instance, layout, syntax, number)
    else:
        encoded = _encoded_frame(instance, layout, number)
        codestream = None if syntax == RLE else _checked_codestream(encoded, layout)
        if syntax in JPEG and layout.photometric in _JPEG_2000_COLOR:  # JPEG has no such colors
            layout = replace(layout, photometric="YBR_FULL")
        layout = _with_stated_precision(layout, codestream)
        words, photometric = _decompressed(encoded, layout, syntax, codestream)
        if codestream is not None and syntax in JPEG:
            _check_last_block(words, encoded, layout, syntax, codestream)
        word_bits = layout.bits_allocated if codestream is None else codestream.bits
    values, bits = _stored_values(words, word_bits, layout, is_lossy=is_lossy)
    was_lossy = is_lossy or code_string(instance, "LossyImageCompression") == "01"
    return Frame(values, bits, photometric, was_lossy)


def _native_words(instance: Dataset, layout: PixelLayout, syntax: str, number: int) -> Values:
    """Read an uncompressed frame as it is stored, unsigned; that later frames are missing does not matter."""
    samples = 2 if layout.photometric == "YBR_FULL_422" else layout.samples
    bits = layout.rows * layout.columns * samples * layout.bits_allocated * number
    if len(instance[layout.keyword].value) < math.ceil(bits / _BYTE_BITS):
        raise InvalidImageError("the DICOM file has fewer pixels than its header says", field=DICOM_FIELD)
    if layout.bits_allocated == layout.samples == 1 and layout.rows * layout.columns % _BYTE_BITS:
        return _single_bits(instance[layout.keyword].value, layout, number)
    options: dict[str, Any] = {
        "correct_unused_bits": False,
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar_configuration,
        "number_of_frames": layout.frame_count,
        "samples_per_pixel": layout.samples,
        "bits_stored": layout.bits_stored,
        "pixel_representation": 0,
    }
    decoder = get_decoder(UID(syntax))
    words, _ = decoder.as_array(instance, index=number - 1, raw=True, validate=False, **options)
    return words.astype(words.dtype.newbyteorder("="), copy=False)


def _single_bits(data: bytes, layout: PixelLayout, number: int) -> Values:
    """Unpack a frame of single bits, the lowest of a byte first: it may begin within a byte, where pydicom fails."""
    count = layout.rows * layout.columns
    first, behind = count * (number - 1), count * number
    part = np.frombuffer(data[first // _BYTE_BITS : math.ceil(behind / _BYTE_BITS)], np.uint8)
    skipped = first % _BYTE_BITS
    bits = np.unpackbits(part, bitorder="little")[skipped : skipped + count]
    return bits.reshape(layout.rows, layout.columns)


def _encoded_frame(instance: Dataset, layout: PixelLayout, number: int) -> bytes:
    """Return the codestream of a frame; that later frames are missing does not matter."""
    data = instance[layout.keyword].value
    _require(layout.frame_count <= len(data) // _FRAGMENT_HEADER_BYTES, "NumberOfFrames")
    tables = instance.get("ExtendedOffsetTable"), instance.get("ExtendedOffsetTableLengths")
    fragment_count = parse_fragments(data)[0] - 1  # the first one is the offset table
    if number > fragment_count:
        raise InvalidImageError("the DICOM file has fewer frames than its header says", field=DICOM_FIELD)
    return get_frame(
        data,
        number - 1,
        number_of_frames=min(layout.frame_count, fragment_count),
        extended_offsets=tables if all(tables) else None,
    )


def _checked_codestream(encoded: bytes, layout: PixelLayout) -> Codestream:
    try:
        codestream = read_codestream(encoded)
    except ValueError as error:
        raise InvalidImageError(f"the compressed frame is damaged: {error}", field=DICOM_FIELD) from error
    size = (codestream.width, codestream.height, codestream.components)
    if size != (layout.columns, layout.rows, layout.samples):
        raise InvalidImageError(
            "the size of the compressed frame is not that of the header",
            field=DICOM_FIELD,
            metadata={
                "width": str(layout.columns),
                "height": str(layout.rows),
                "codestream_width": str(codestream.width),
                "codestream_height": str(codestream.height),
            },
        )
    return codestream


def _with_stated_precision(layout: PixelLayout, codestream: Codestream | None) -> PixelLayout:
    """Return the layout with the precision of JPEG 2000 in place of a smaller Bits Stored.

    Whole words (8 or 16 bits) may carry more than the value, such as overlays; any other precision was chosen for the
    values, and cutting it wraps them around. Other formats do not state it exactly: encoders round it up.
    """
    if codestream is None or codestream.is_signed is None or codestream.bits % _BYTE_BITS == 0:
        return layout
    if not layout.bits_stored < codestream.bits <= layout.bits_allocated:
        return layout
    return replace(layout, bits_stored=codestream.bits, high_bit=codestream.bits - 1)


def _decompressed(
    encoded: bytes, layout: PixelLayout, syntax: str, codestream: Codestream | None
) -> tuple[Values, str]:
    """Decode a codestream; return its values and their color space."""
    if codestream is not None and syntax in JPEG and codestream.bits == _JPEG_BITS:
        return _twelve_bit_jpeg(encoded, layout, syntax), layout.photometric
    is_whole = codestream is None or _has_end_marker(encoded)
    if syntax in JPEG_LS and not is_whole:
        encoded += END_MARKER  # without it CharLS looks for seconds for what a cut run of pixels lacks
    decoder = get_decoder(UID(syntax))
    failure: BaseException | None = None
    for plugin in DECODERS[syntax]:
        if plugin in decoder.available_plugins:
            try:
                return _decoded_by(decoder, plugin, encoded, layout, codestream)
            except (MemoryError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - a panic is no Exception, and the next one may do better
                failure = error
    raise _undecodable(syntax, layout, codestream, is_cut=not is_whole) from failure


def _check_last_block(words: Values, encoded: bytes, layout: PixelLayout, syntax: str, codestream: Codestream) -> None:
    """Refuse a lossy JPEG whose picture depends on what might follow before its end marker: pixels are missing.

    libjpeg fills missing blocks with middle gray, so only a frame that ends with it is decoded a second time.

    Raises:
        InvalidImageError: If pixels are missing.
    """
    if np.abs(words[-1, -1].astype(np.int64) - (1 << (codestream.bits - 1))).max() > 1:
        return
    longer = encoded[: encoded.rindex(END_MARKER)] + OTHER_TAIL + END_MARKER
    cut = InvalidImageError("the compressed frame ends before its pixels do", field=DICOM_FIELD)
    try:
        other, _ = _decompressed(longer, layout, syntax, codestream)
    except InvalidImageError as error:
        raise cut from error
    if not np.array_equal(words, other):
        raise cut


def _decoded_by(
    decoder: Decoder, plugin: str, encoded: bytes, layout: PixelLayout, codestream: Codestream | None
) -> tuple[Values, str]:
    """Let one of pydicom's plugins decode a codestream, told what the codestream says rather than the header.

    JPEG, JPEG-LS and JPEG 2000 have their own order of components, so Planar Configuration does not apply to them.
    """
    bits = layout.bits_allocated if codestream is None else codestream.bits
    decodes_to_rgb = codestream is not None and layout.samples > 1 and codestream.decodes_to_rgb
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "number_of_frames": 1,
        "bits_allocated": _container_bits(bits),
        "bits_stored": bits,
        "pixel_representation": int(codestream is not None and bool(codestream.is_signed)),
        "planar_configuration": 0,
        "photometric_interpretation": layout.photometric,
        "correct_unused_bits": False,
        "apply_j2k_sign_correction": False,
        "apply_jls_sign_correction": False,
    }
    source = encapsulate([encoded], has_bot=False)
    words, properties = decoder.as_array(source, index=0, raw=True, validate=False, decoding_plugin=plugin, **options)
    return words, "RGB" if decodes_to_rgb else str(properties["photometric_interpretation"])


def _twelve_bit_jpeg(encoded: bytes, layout: PixelLayout, syntax: str) -> Values:
    """Decode JPEG of 12 bits by GDCM itself: pydicom's plugin for it refuses them."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(layout.photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(layout.samples, _WORD_BITS, _JPEG_BITS, _JPEG_BITS - 1, 0))
    buffer = image.GetBuffer()
    shape = (layout.rows, layout.columns) + ((layout.samples,) if layout.samples > 1 else ())
    values = None if buffer is None else np.frombuffer(buffer.encode("utf-8", "surrogateescape"), "<u2")
    if values is None or values.size != math.prod(shape):
        described = Codestream(layout.columns, layout.rows, layout.samples, _JPEG_BITS)
        raise _undecodable(syntax, layout, described, is_cut=not _has_end_marker(encoded))
    return values.reshape(shape).astype(np.uint16)


def _has_end_marker(codestream: bytes) -> bool:
    return codestream.rstrip(b"\0").endswith(END_MARKER)


def _undecodable(syntax: str, layout: PixelLayout, codestream: Codestream | None, *, is_cut: bool) -> InvalidImageError:
    bits = layout.bits_stored if codestream is None else codestream.bits
    kind = re.sub(r"[^\w ,.()-]", " ", UID(syntax).name)
    end = "; it ends without end marker" if is_cut else ""
    return InvalidImageError(
        f"no decoder can read the frame: {kind}, {bits} bits a sample{end}",
        field=DICOM_FIELD,
        metadata={"transfer_syntax": syntax, "bits": str(bits)},
    )


def _stored_values(words: Values, word_bits: int, layout: PixelLayout, *, is_lossy: bool) -> tuple[Values, int]:
    """Return the values that words hold, and the number of their bits.

    Args:
        words: The words as stored or decoded; of a signed type if the codestream says that they are signed.
        word_bits: Bits of a word that file or codestream carry.
        layout: What the header says.
        is_lossy: Whether compression may have driven values out of their range: then they are clipped, else what lies
            outside of Bits Stored (old overlays, for example) is cut off.
    """
    if words.dtype.kind == "f":
        return words, 8 * words.dtype.itemsize
    shift, bits = 0, min(word_bits, layout.bits_stored)
    if word_bits > layout.bits_allocated:  # the header cannot describe these values at all
        bits = word_bits
    elif word_bits > layout.high_bit:
        shift = layout.high_bit + 1 - layout.bits_stored
    if words.dtype.kind == "u" and layout.is_signed and word_bits > 1:
        return _signed(words, shift, bits), bits
    if is_lossy:
        lowest, highest = value_range(bits, is_signed=words.dtype.kind == "i")
        return np.clip(words >> shift, lowest, highest), bits
    if words.dtype.kind == "i":
        return _signed(words, shift, bits), bits
    if shift:
        words = words >> shift
    return words if bits == 8 * words.dtype.itemsize else words & ((1 << bits) - 1), bits


def _signed(words: Values, shift: int, bits: int) -> Values:
    """Take the bits from `shift` on out of words, and extend their sign."""
    container = 8 * words.dtype.itemsize
    unused = container - shift - bits
    if not unused and not shift:
        return words.view(f"i{words.dtype.itemsize}")
    signed = (words << unused).view(f"i{words.dtype.itemsize}")
    return signed >> (unused + shift)


def value_range(bits: int, *, is_signed: bool) -> tuple[int, int]:
    """Return the lowest and the highest whole number of so many bits."""
    if is_signed:
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def _container_bits(bits: int) -> int:
    return next(size for size in (_BYTE_BITS, _WORD_BITS, 32, 64) if bits <= size)


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
