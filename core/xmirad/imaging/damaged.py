"""PNG and JPEG files that are damaged or cut: what is read all the same, and what is refused with which reason.

The rule: an image is read if every one of its pixels is there. What else is wrong with the file is named in a note.
Missing pixels are never filled.

- PNG: an ancillary chunk with a wrong checksum is left out, a missing end chunk does not matter. A critical chunk with
  a wrong checksum refuses the file, and so do rows that are missing.
- JPEG: a missing end marker does not matter if all pixels were there before it.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image, ImageChops

from xmirad.errors import InvalidImageError
from xmirad.imaging.media import RASTER_FIELD

PNG_ENDS_EARLY = "the PNG ends before its pixels do"
JPEG_ENDS_EARLY = "the JPEG ends before its pixels do"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_NAMES = (
    "IHDR PLTE IDAT IEND acTL bKGD cHRM cICP cLLI dSIG eXIf fcTL fdAT gAMA hIST iCCP iTXt mDCV oFFs pCAL pHYs"
)
_KNOWN_CHUNKS = {name.encode() for name in (_CHUNK_NAMES + " sBIT sCAL sPLT sRGB sTER tEXt tIME tRNS zTXt").split()}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Column, row, step between columns and between rows of an interlaced PNG's passes."""
_INFLATED_AT_ONCE = 1 << 20

_NEXT_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
_END_MARKER = b"\xff\xd9"
OTHER_TAIL = b"\xaa\x5b\xd1\x37" * 2500
"""Made-up data of a scan. libjpeg continues data that end early with zeros; these give other pixels."""
_MIDDLE_GRAY = 128
"""What libjpeg fills missing blocks with."""


@dataclass(slots=True)
class _Scans:
    """Which coefficients of a JPEG have been sent.

    Attributes:
        missing: For each component the coefficients whose last bit is still to come.
        entropy_end: Where the last scan's data end.
        has_end: True if there is an end marker.
    """

    missing: dict[int, set[int]] = field(default_factory=dict)
    entropy_end: int = 0
    has_end: bool = False


def mended_png(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a PNG without what is damaged and needless, and notes on that.

    Raises:
        InvalidImageError: If a chunk with pixels, palette or size is damaged or missing.
    """
    kept: list[bytes] = []
    notes: dict[str, None] = {}
    kind, has_pixels = b"", False
    for kind, body, has_checksum in _chunks(data):
        has_pixels |= kind == b"IDAT"
        if has_checksum or kind == b"IEND":
            kept.append(_chunk(kind, body))
            if not has_checksum:
                notes["the PNG's end chunk has a wrong checksum"] = None
        elif not kind[0] & 0x20:
            raise InvalidImageError(f"the PNG's {_name(kind)} chunk has a wrong checksum", field=RASTER_FIELD)
        else:
            notes[f"chunk {_name(kind)} left out: wrong checksum"] = None
    if not has_pixels:
        raise InvalidImageError(PNG_ENDS_EARLY, field=RASTER_FIELD)
    if kind != b"IEND":
        kept.append(_chunk(b"IEND", b""))
        notes["the PNG has no end chunk"] = None
    return (_SIGNATURE + b"".join(kept) if notes else data), tuple(notes)


def check_png_rows(data: bytes, image: Image.Image) -> None:
    """Refuse a PNG that holds fewer rows than it says. Those that Pillow found missing are black.

    Args:
        data: The file.
        image: What Pillow made of it.

    Raises:
        InvalidImageError: If rows are missing.
    """
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    last = [image.crop((0, row, width, row + 1)) for row in range(max(height - 2, 0), height)]
    if height > 2 and all(row.tobytes().strip(b"\0") for row in last):
        return
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    bits = depth * _CHANNELS[color]
    needed = 0
    for left, top, across, down in passes:
        columns, rows = -((left - width) // across), -((top - height) // down)
        needed += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    if _inflated_bytes(data, needed) < needed:
        raise InvalidImageError(PNG_ENDS_EARLY, field=RASTER_FIELD)


def with_end_marker(data: bytes) -> bytes | None:
    """Return a JPEG that lacks its end marker with one.

    Returns:
        None if the file has one.

    Raises:
        InvalidImageError: If pixels are missing too.
    """
    if data.endswith(_END_MARKER):
        return None
    scans = _scans(data)
    if scans.has_end:
        return None
    if not scans.missing or any(scans.missing.values()):
        raise InvalidImageError(JPEG_ENDS_EARLY, field=RASTER_FIELD)
    body = re.sub(rb"(?<!\xff)\x00{2,}\Z|\xff\Z", b"", data)  # padding behind a cut, or half an end marker
    _check_scan(body)
    return body + _END_MARKER


def check_jpeg_blocks(data: bytes, image: Image.Image) -> tuple[str, ...]:
    """Refuse a JPEG whose last blocks were filled, since its data end before them although an end marker follows.

    Args:
        data: The file.
        image: What Pillow made of it.

    Returns:
        A note if a progressive JPEG lacks scans, so that it is coarser than it was meant to be.

    Raises:
        InvalidImageError: If pixels are missing.
    """
    corner = image.crop((image.width - 1, image.height - 1, *image.size)).convert("L").getpixel((0, 0))
    is_filled = isinstance(corner, int | float) and abs(corner - _MIDDLE_GRAY) <= 1
    if not is_filled and not image.info.get("progressive"):
        return ()
    scans = _scans(data)
    if is_filled:
        _check_scan(data[: scans.entropy_end])
    return ("the progressive JPEG lacks scans",) if any(scans.missing.values()) else ()


def is_container_cut(data: bytes) -> bool:
    """Tell whether a WebP, HEIC or AVIF file is shorter than its outermost parts say."""
    if data[:4] == b"RIFF":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    at = 0
    while data[4:8] == b"ftyp" and at < len(data):
        length, head = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if length == 0:
            return False  # up to the file's end, wherever that is
        if length < head or at + length > len(data):
            return True
        at += length
    return False


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind, body and soundness of every chunk. Pixels that are cut count as sound."""
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND" and at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalpha():
            return
        body = data[at + 8 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        at += 12 + length
        if len(checksum) == 4:
            yield kind, body, zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(checksum, "big")
        elif kind == b"IDAT":
            yield kind, body, True


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _name(kind: bytes) -> str:
    return kind.decode() if kind in _KNOWN_CHUNKS else "private"


def _inflated_bytes(data: bytes, enough: int) -> int:
    """Count the bytes that a PNG's pixels unpack to, up to what is enough."""
    inflater, count = zlib.decompressobj(), 0
    for kind, body, _ in _chunks(data):
        rest = body if kind == b"IDAT" else b""
        while rest and count < enough and not inflater.eof:
            count += len(inflater.decompress(rest, _INFLATED_AT_ONCE))
            rest = inflater.unconsumed_tail
    return count


def _scans(data: bytes) -> _Scans:
    """Read a JPEG's markers up to its end marker or the file's end."""
    scans = _Scans()
    found = _NEXT_MARKER.search(data, 2)
    while found:
        marker, at = data[found.end() - 1], found.end()
        if marker == _END:
            scans.has_end = True
            break
        if marker not in _WITHOUT_LENGTH:
            length = int.from_bytes(data[at : at + 2], "big")
            segment = data[at + 2 : at + length]
            if length < 2 or at + length > len(data):
                scans.missing.clear()  # cut in a header: more was to come
                break
            _note_segment(scans, marker, segment)
            at += length
        found = _NEXT_MARKER.search(data, at)
        if marker == _SCAN:
            scans.entropy_end = found.start() if found else len(data)
    return scans


def _note_segment(scans: _Scans, marker: int, segment: bytes) -> None:
    if marker in _FRAME_MARKERS and len(segment) > 6:
        scans.missing |= {segment[at]: set(range(64)) for at in range(6, len(segment) - 2, 3)}
    if marker == _SCAN and len(segment) > 3:
        first, last, bits = segment[-3:]
        for at in range(1, len(segment) - 3, 2):
            if bits & 0x0F == 0:
                scans.missing.get(segment[at], set()).difference_update(range(first, last + 1))


def _check_scan(body: bytes) -> None:
    """Refuse a JPEG, given up to its last scan's end, whose picture depends on what might follow."""
    pictures = []
    for tail in (b"", OTHER_TAIL):
        with Image.open(io.BytesIO(body + tail + _END_MARKER), formats=["JPEG"]) as image:
            image.load()
            pictures.append(image.copy())
    if ImageChops.difference(*pictures).getbbox() is not None:
        raise InvalidImageError(JPEG_ENDS_EARLY, field=RASTER_FIELD)
