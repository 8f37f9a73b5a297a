"""What a compressed frame says of itself in its first markers.

Two uses. A decoder believes the codestream, not the DICOM header, and takes memory and time for what it claims: a file
of 1.1 kB may claim 60000 x 60000 pixels. So the two sizes are compared before a decoder sees the frame. And where
header and codestream contradict each other in signedness, number of bits or color space, the codestream describes the
values that the decoder returns.
"""

import struct
from dataclasses import dataclass

JPEG_START = b"\xff\xd8"
END_MARKER = b"\xff\xd9"
"""Of JPEG, JPEG-LS and JPEG 2000."""
JPEG_2000_START = b"\xff\x4f\xff\x51"
JPEG_2000_BOX = b"\x00\x00\x00\x0cjP  "
_BOXES_SEARCHED = 4096
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_LOSSY_FRAMES = {0xC0, 0xC1, 0xC2}
_ADOBE_MARKER = 0xEE
_ADOBE_NAME = b"Adobe"
_ADOBE_LENGTH = 12
_FILL = 0xFF
_CODING_STYLE = 0x52
_START_OF_TILE = 0x90
_MULTIPLE_COMPONENT_TRANSFORM = 6
"""Offset of the flag in the COD segment, counted from its length."""


@dataclass(frozen=True, slots=True)
class Codestream:
    """The parameters of a codestream.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        components: Components a pixel.
        bits: Bits of a component, sign included.
        is_signed: Whether the values are signed; None where the format cannot say so (JPEG and JPEG-LS).
        decodes_to_rgb: Whether a decoder ends with RGB of its own accord, whatever the header's color space: JPEG 2000
            with a multiple component transform, JPEG with an Adobe marker (as Pillow reads it).
    """

    width: int
    height: int
    components: int
    bits: int
    is_signed: bool | None = None
    decodes_to_rgb: bool = False


def read_codestream(codestream: bytes) -> Codestream:
    """Read the parameters of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream.

    Raises:
        ValueError: If it is none of these, or ends before it says so.
    """
    try:
        if codestream.startswith(JPEG_START):
            return _read_jpeg(codestream)
        return _read_jpeg_2000(codestream)
    except (struct.error, IndexError) as error:
        raise ValueError("the codestream ends within its header") from error


def _read_jpeg(codestream: bytes) -> Codestream:
    """Walk the markers up to the start of frame."""
    position = len(JPEG_START)
    has_adobe_marker = False
    while True:
        if codestream[position] != _FILL:
            raise ValueError("a marker is missing")
        marker = codestream[position + 1]
        if marker == _FILL:
            position += 1
        elif marker in _NO_LENGTH:
            position += 2
        elif marker in _FRAME_MARKERS:
            bits, height, width, components = struct.unpack_from(">BHHB", codestream, position + 4)
            decodes_to_rgb = has_adobe_marker and marker in _LOSSY_FRAMES
            return Codestream(width, height, components, bits, decodes_to_rgb=decodes_to_rgb)
        else:
            (length,) = struct.unpack_from(">H", codestream, position + 2)
            is_adobe = marker == _ADOBE_MARKER and length >= 2 + _ADOBE_LENGTH
            has_adobe_marker |= is_adobe and codestream.startswith(_ADOBE_NAME, position + 4)
            position += 2 + max(length, 2)


def _read_jpeg_2000(codestream: bytes) -> Codestream:
    begin = 0
    if codestream.startswith(JPEG_2000_BOX):
        begin = codestream.find(JPEG_2000_START, 0, _BOXES_SEARCHED)
    if not codestream.startswith(JPEG_2000_START, max(begin, 0)):
        raise ValueError("neither a JPEG nor a JPEG 2000 codestream")
    right, bottom, left, top = struct.unpack_from(">IIII", codestream, begin + 8)
    components, depth = struct.unpack_from(">HB", codestream, begin + 40)
    return Codestream(
        width=right - left,
        height=bottom - top,
        components=components,
        bits=(depth & 0x7F) + 1,
        is_signed=bool(depth & 0x80),
        decodes_to_rgb=_has_component_transform(codestream, begin + 4),
    )


def _has_component_transform(codestream: bytes, position: int) -> bool:
    """Walk the segments of a JPEG 2000 main header from its first one, the size, to the coding style."""
    (length,) = struct.unpack_from(">H", codestream, position)
    position += length
    while codestream[position] == _FILL and codestream[position + 1] != _START_OF_TILE:
        if codestream[position + 1] == _CODING_STYLE:
            return codestream[position + 2 + _MULTIPLE_COMPONENT_TRANSFORM] == 1
        (length,) = struct.unpack_from(">H", codestream, position + 2)
        position += 2 + max(length, 2)
    return False
