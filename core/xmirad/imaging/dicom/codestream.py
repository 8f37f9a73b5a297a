"""The size that a compressed frame claims to have, read from its first markers.

A decoder believes the codestream, not the DICOM header, and takes memory and time for what it claims: a file of 1.1 kB
may claim 60000 x 60000 pixels. So the two are compared before a decoder sees the frame.
"""

import struct
from dataclasses import dataclass

JPEG_START = b"\xff\xd8"
JPEG_2000_START = b"\xff\x4f\xff\x51"
JPEG_2000_BOX = b"\x00\x00\x00\x0cjP  "
_BOXES_SEARCHED = 4096
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_FILL = 0xFF


@dataclass(frozen=True, slots=True)
class FrameSize:
    """Width and height in pixels, and components a pixel."""

    width: int
    height: int
    components: int


def claimed_size(codestream: bytes) -> FrameSize:
    """Return the size that a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream claims.

    Raises:
        ValueError: If it is none of these, or ends before it says so.
    """
    try:
        if codestream.startswith(JPEG_START):
            return _jpeg_size(codestream)
        return _jpeg_2000_size(codestream)
    except (struct.error, IndexError) as error:
        raise ValueError("the codestream ends within its header") from error


def _jpeg_size(codestream: bytes) -> FrameSize:
    """Walk the markers up to the start of frame."""
    position = len(JPEG_START)
    while True:
        if codestream[position] != _FILL:
            raise ValueError("a marker is missing")
        marker = codestream[position + 1]
        if marker == _FILL:
            position += 1
        elif marker in _NO_LENGTH:
            position += 2
        elif marker in _FRAME_MARKERS:
            height, width, components = struct.unpack_from(">HHB", codestream, position + 5)
            return FrameSize(width, height, components)
        else:
            (length,) = struct.unpack_from(">H", codestream, position + 2)
            position += 2 + max(length, 2)


def _jpeg_2000_size(codestream: bytes) -> FrameSize:
    begin = 0
    if codestream.startswith(JPEG_2000_BOX):
        begin = codestream.find(JPEG_2000_START, 0, _BOXES_SEARCHED)
    if not codestream.startswith(JPEG_2000_START, max(begin, 0)):
        raise ValueError("neither a JPEG nor a JPEG 2000 codestream")
    right, bottom, left, top = struct.unpack_from(">IIII", codestream, begin + 8)
    (components,) = struct.unpack_from(">H", codestream, begin + 40)
    return FrameSize(right - left, bottom - top, components)
