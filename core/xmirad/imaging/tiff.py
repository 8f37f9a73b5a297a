"""TIFF: which page of a file is the image, and the kinds of samples that Pillow does not read or reads wrongly.

Pillow reads most TIFFs. Samples are read here if their planes are apart, and if they are anything but unsigned numbers
of 8 or 16 bits: the page is described anew as rows of plain bytes, libtiff decompresses these, and NumPy interprets
them. (Pillow takes wrong bytes of planes of 16 bits, swaps the bytes of compressed big-endian numbers once too often,
and takes unsigned numbers of 32 bits for signed ones.) A BigTIFF's directory is written anew as a plain TIFF's.
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from xmirad.errors import InvalidImageError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import RASTER_FIELD
from xmirad.imaging.scaling import percentile_range, thinned, to_gray_levels
from xmirad.types import UInt8Array

Samples = npt.NDArray[Any]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
ASSOCIATED_ALPHA = 1
MAX_PAGES = 100
"""Pages that are looked at for the first of full resolution."""

_BIG_MARKS = (b"II+\0", b"MM\0+")
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Numbers of the TIFF standard for types of whole numbers, and `struct`'s letters for them."""
_OTHER_SIZES = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8}
_PLAIN_KINDS = {16: 4, 17: 9, 18: 13}
_LONG = 4
_PARTS = 330
_DIRECTORY_TAGS = {_PARTS, 34665, 34853, 40965}
_PLANES_APART = 2
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_HORIZONTAL, _FLOATING_POINT = 2, 3
_LOSSLESS = {1: "none", 5: "LZW", 8: "deflate", 32773: "PackBits", 32946: "deflate", 34925: "LZMA", 50000: "Zstandard"}
_OTHER_COMPRESSIONS = {2: "CCITT", 3: "fax", 4: "fax", 6: "old JPEG", 7: "JPEG", 34712: "JPEG 2000", 50001: "WebP"}
_KINDS = {UNSIGNED: "u", SIGNED: "i", FLOATING: "f"}
_WORDS = {(UNSIGNED, 8), (UNSIGNED, 16), (UNSIGNED, 32), (UNSIGNED, 64)} | {(SIGNED, 8), (SIGNED, 16), (SIGNED, 32)}
_WORDS |= {(SIGNED, 64), (FLOATING, 16), (FLOATING, 32), (FLOATING, 64)}
_FORMAT_NAMES = {UNSIGNED: "unsigned", SIGNED: "signed", FLOATING: "floating-point", 4: "undefined", 5: "complex"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a directory: its type's number in the TIFF standard, and its values as stored."""

    kind: int
    count: int
    stored: bytes


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page of a TIFF.

    Attributes:
        data: A plain TIFF file whose first page is this one.
        entries: Its directory, by tag.
        notes: Why this page was taken, if there are several.
    """

    data: bytes
    entries: Mapping[int, _Entry]
    notes: tuple[str, ...] = ()

    def values(self, tag: int, default: int) -> tuple[int, ...]:
        """Return all values of a tag of whole numbers."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS or not entry.count:
            return (default,)
        return struct.unpack(f"{_order(self.data)}{entry.count}{_INTEGERS[entry.kind]}", entry.stored)

    def value(self, tag: int, default: int) -> int:
        """Return a tag's first value."""
        return self.values(tag, default)[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as stored, before any turn."""
        return self.value(256, 0), self.value(257, 0)

    @property
    def bits(self) -> int:
        """Bits of a sample; 0 if the samples differ."""
        bits = set(self.values(258, 1))
        return bits.pop() if len(bits) == 1 else 0

    @property
    def sample_format(self) -> int:
        """1 for unsigned, 2 for signed, 3 for floating-point samples; 0 if the samples differ."""
        formats = set(self.values(339, UNSIGNED))
        return formats.pop() if len(formats) == 1 else 0

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return self.value(277, 1)

    @property
    def photometric(self) -> int:
        """How samples become brightness or color."""
        return self.value(262, BLACK_IS_ZERO)

    @property
    def are_planes_apart(self) -> bool:
        """True if all of the first sample are stored before all of the second one."""
        return self.samples > 1 and self.value(284, 1) == _PLANES_APART

    @property
    def is_read_by_samples(self) -> bool:
        """True if `read_levels` must read it although Pillow would, since Pillow would read it wrongly."""
        is_usual = self.sample_format == UNSIGNED and self.bits in (8, 16)
        return self.has_plain_samples and (self.are_planes_apart or not is_usual)

    @property
    def has_plain_samples(self) -> bool:
        """True if `read_levels` can read it."""
        colors = 3 if self.photometric == RGB else 1
        return (
            (self.sample_format, self.bits) in _WORDS
            and self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
            and self.samples >= colors
            and self.value(259, 1) in _LOSSLESS
            and self.value(266, 1) == 1
        )

    @property
    def described(self) -> str:
        """Name its kind, in words of the TIFF standard."""
        compression = self.value(259, 1)
        return (
            f"SamplesPerPixel {self.samples}, BitsPerSample {self.bits or 'mixed'} "
            f"({_FORMAT_NAMES.get(self.sample_format, 'mixed')}), PhotometricInterpretation {self.photometric}, "
            f"compression {(_LOSSLESS | _OTHER_COMPRESSIONS).get(compression, compression)}"
        )


def choose_page(data: bytes) -> TiffPage:
    """Return the first page that is neither a reduced copy of another one nor a mask; if there is none, the first.

    Pages that another one lists as its parts (SubIFDs) come after all others.

    Raises:
        InvalidImageError: If there is no page.
    """
    chosen: tuple[int, int, dict[int, _Entry]] | None = None
    first: tuple[int, int, dict[int, _Entry]] | None = None
    number = full = 0
    for number, (offset, entries) in enumerate(_directories(data), start=1):
        first = first or (number, offset, entries)
        if _is_full(TiffPage(data, entries)):
            full += 1
            chosen = chosen or (number, offset, entries)
        if full > 1:
            break
    if first is None or 256 not in first[2]:
        raise InvalidImageError("the TIFF ends before the directory of its first page", field=RASTER_FIELD)
    at, offset, entries = chosen or first
    notes = ["first of several frames"] if full > 1 or (not full and number > 1) else []
    if at > 1:
        notes.append(f"page {at}; those before it are reduced copies or masks")
    return TiffPage(_starting_with(data, offset, entries), entries, tuple(notes))


def is_tiff_cut(page: TiffPage) -> bool:
    """Return whether strips or tiles of a page lie behind the end of its file."""
    offsets, lengths = (324, 325) if 324 in page.entries else (273, 279)
    ends = zip(page.values(offsets, 0), page.values(lengths, 0), strict=False)
    return any(start + length > len(page.data) for start, length in ends)


def open_tiff(page: TiffPage) -> Image.Image:
    """Open a page by Pillow without reading pixels, and mend its palette.

    Raises:
        Exception: Whatever Pillow raises on what it does not read.
    """
    # Without libtiff Pillow takes the upper byte of a plane's 16-bit samples where its lower byte may lie.
    TiffImagePlugin.READ_LIBTIFF = page.are_planes_apart
    try:
        return Image.open(io.BytesIO(page.data), formats=["TIFF"])
    finally:
        TiffImagePlugin.READ_LIBTIFF = False


def eight_bit_palette(page: TiffPage) -> bytes | None:
    """Return the colors `R G B R G B ...` of a palette whose writer used 8 bits instead of 16, as libtiff finds it.

    Returns:
        None if the page has no palette, or one of 16 bits.
    """
    colors = page.values(320, 0)
    if page.photometric != PALETTE or len(colors) % 3 or max(colors) > 255:
        return None
    return np.array(colors, np.uint8).reshape(3, -1).T.tobytes()


def read_levels(page: TiffPage, limits: DecodeLimits) -> UInt8Array:
    """Read a page with plain samples as gray or color levels, `[height, width]` or `[height, width, 3]`, not turned.

    Unsigned samples of 8 and 16 bits are scaled over their full range, and so is 32-bit color; all others have no
    display range and get `scaling.percentile_range`. Alpha and further samples are dropped; color that was multiplied
    with its alpha is divided by it, as Pillow does.

    Raises:
        InvalidImageError: If its sides are not allowed.
        PayloadTooLargeError: If it has too many pixels.
        Exception: Whatever Pillow raises on data that it cannot decompress.
    """
    limits.check_size(*page.size, field=RASTER_FIELD)
    if page.are_planes_apart:
        planes = [_samples(page, plane)[..., 0] for plane in range(_planes_needed(page))]
        samples = np.stack(planes, axis=-1)
    else:
        samples = _samples(page, None)
    if page.photometric == RGB:
        levels = _levels(samples[..., :3], is_color=True)
        return _divided(levels, samples[..., 3]) if _has_associated_alpha(page) else levels
    levels = _levels(samples[..., 0], is_color=False)
    return 255 - levels if page.photometric == WHITE_IS_ZERO else levels


def _directories(data: bytes) -> Iterator[tuple[int, dict[int, _Entry]]]:
    """Yield offset and directory of every page: the chain first, then what its pages list as their parts."""
    (offset,) = struct.unpack_from(f"{_order(data)}Q", data, 8) if _is_big(data) else _longs(data, 4)
    parts: list[int] = []
    seen: set[int] = set()
    while 0 < offset < len(data) and offset not in seen and len(seen) < MAX_PAGES:
        seen.add(offset)
        entries, following = _directory(data, offset)
        parts += TiffPage(data, entries).values(_PARTS, 0)
        yield offset, entries
        offset = following
    for offset in parts[:MAX_PAGES]:
        if 0 < offset < len(data) and offset not in seen:
            seen.add(offset)
            yield offset, _directory(data, offset)[0]


def _directory(data: bytes, offset: int) -> tuple[dict[int, _Entry], int]:
    """Read a directory's entries and the offset of the next one: nothing if the file ends within it."""
    order, is_big = _order(data), _is_big(data)
    word, head, room = ("Q", 8, 8) if is_big else ("I", 2, 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", data, offset)
    entries: dict[int, _Entry] = {}
    behind = offset + head + count * (4 + 2 * room)
    if behind > len(data):
        return entries, 0
    for at in range(offset + head, behind, 4 + 2 * room):
        tag, kind, values = struct.unpack_from(f"{order}HH{word}", data, at)
        size = values * (struct.calcsize(f"={_INTEGERS[kind]}") if kind in _INTEGERS else _OTHER_SIZES.get(kind, 0))
        inline = at + 4 + room
        start = inline if size <= room else struct.unpack_from(f"{order}{word}", data, inline)[0]
        if 0 < size <= len(data) - start:
            entries.setdefault(tag, _Entry(kind, values, data[start : start + size]))
    following = struct.unpack_from(f"{order}{word}", data, behind)[0] if behind + room <= len(data) else 0
    return entries, following


def _longs(data: bytes, at: int) -> tuple[int, ...]:
    return struct.unpack_from(f"{_order(data)}I", data, at)


def _is_full(page: TiffPage) -> bool:
    is_reduced = page.value(254, 0) & (_REDUCED | _MASK) or page.value(255, 1) == _OLD_REDUCED
    return not is_reduced and 256 in page.entries


def _is_big(data: bytes) -> bool:
    return data.startswith(_BIG_MARKS)


def _order(data: bytes) -> str:
    return "<" if data[:2] == b"II" else ">"


def _starting_with(data: bytes, offset: int, entries: dict[int, _Entry]) -> bytes:
    """Return a plain TIFF whose first page has a directory, which lies at an offset."""
    order = _order(data)
    if _is_big(data):
        return _with_directory(data, order, {tag: _plain(order, entry) for tag, entry in entries.items()})
    if _longs(data, 4) == (offset,):
        return data
    return data[:4] + struct.pack(f"{order}I", offset) + data[8:]


def _plain(order: str, entry: _Entry) -> _Entry:
    """Return an entry of a BigTIFF without numbers of 64 bits."""
    if entry.kind not in _PLAIN_KINDS:
        return entry
    kind = _PLAIN_KINDS[entry.kind]
    values = struct.unpack(f"{order}{entry.count}{_INTEGERS[entry.kind]}", entry.stored)
    return _Entry(kind, entry.count, struct.pack(f"{order}{entry.count}{_INTEGERS[kind]}", *values))


def _planes_needed(page: TiffPage) -> int:
    if page.photometric != RGB:
        return 1
    return 4 if _has_associated_alpha(page) else 3


def _has_associated_alpha(page: TiffPage) -> bool:
    return page.photometric == RGB and page.samples > 3 and page.value(338, 0) == ASSOCIATED_ALPHA


def _samples(page: TiffPage, plane: int | None) -> Samples:
    """Return the samples of a page or of one of its planes, `[height, width, samples]`, in this machine's order."""
    width, height = page.size
    samples = page.samples if plane is None else 1
    tile_width = page.value(322, 0) or width
    padded = -(-width // tile_width) * tile_width
    size = page.bits // 8
    rows = _bytes_of_rows(page, plane, samples * size, padded)
    if page.value(317, 1) == _FLOATING_POINT:
        blocks = [_summed_floats(block, samples, size) for block in _tiles(rows, tile_width * samples * size)]
    else:
        words = rows.view(f"{_order(page.data)}{_KINDS[page.sample_format]}{size}").reshape(height, padded, samples)
        blocks = [words]
        if page.value(317, 1) == _HORIZONTAL:
            blocks = [_summed(block) for block in _tiles(words, tile_width)]
    whole = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
    native = whole.astype(whole.dtype.newbyteorder("="), copy=False)
    return native.reshape(height, padded, samples)[:, :width]


def _tiles(rows: Samples, width: int) -> Iterator[Samples]:
    for left in range(0, rows.shape[1], width):
        yield rows[:, left : left + width]


def _summed(differences: Samples) -> Samples:
    """Undo horizontal differencing: sums wrap around as the differences did."""
    native = differences.astype(differences.dtype.newbyteorder("="))
    return np.cumsum(native, axis=1, dtype=native.dtype)


def _summed_floats(rows: UInt8Array, samples: int, size: int) -> Samples:
    """Undo the floating-point predictor: differences of bytes, and the numbers' most significant bytes first."""
    height = rows.shape[0]
    sums = np.cumsum(rows.reshape(height, -1, samples), axis=1, dtype=np.uint8).reshape(height, size, -1)
    return np.ascontiguousarray(sums.transpose(0, 2, 1)).view(f">f{size}").reshape(height, -1, samples)


def _bytes_of_rows(page: TiffPage, plane: int | None, bytes_per_pixel: int, width: int) -> UInt8Array:
    """Decompress a page or a plane to bytes, `[height, width * bytes_per_pixel]`, by describing it as 8-bit gray."""
    tags: dict[int, tuple[int, ...]] = {256: (width * bytes_per_pixel,), 257: (page.size[1],), 258: (8,)}
    tags |= {259: page.values(259, 1), 262: (BLACK_IS_ZERO,), 277: (1,)}
    is_tiled = 324 in page.entries
    for tag in (324, 325) if is_tiled else (273, 279):
        if tag in page.entries:
            values = page.values(tag, 0)
            share = len(values) // page.samples
            tags[tag] = values if plane is None else values[plane * share : (plane + 1) * share]
    if is_tiled:
        tags |= {322: (page.value(322, 0) * bytes_per_pixel,), 323: page.values(323, 0)}
    else:
        tags[278] = (min(page.value(278, page.size[1]), page.size[1]),)
    entries = {
        tag: _Entry(_LONG, len(values), struct.pack(f"<{len(values)}I", *values)) for tag, values in tags.items()
    }
    allowed, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the page's size has been checked, in pixels
    try:
        with Image.open(io.BytesIO(_with_directory(page.data, "<", entries)), formats=["TIFF"]) as image:
            return np.array(image)
    finally:
        Image.MAX_IMAGE_PIXELS = allowed


def _with_directory(data: bytes, order: str, entries: Mapping[int, _Entry]) -> bytes:
    """Return a file's bytes as a plain TIFF with a new directory, and no other, at its end."""
    start = len(data) + len(data) % 2
    behind = start + 2 + 12 * len(entries) + 4
    listed, tail = b"", b""
    for tag, entry in sorted(entries.items()):
        if tag in _DIRECTORY_TAGS:
            continue
        stored = entry.stored.ljust(4, b"\0")
        if len(stored) > 4:
            stored, tail = struct.pack(f"{order}I", behind + len(tail)), tail + stored + bytes(len(stored) % 2)
        listed += struct.pack(f"{order}HHI", tag, entry.kind, entry.count) + stored
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    count = struct.pack(f"{order}H", len(listed) // 12)
    return head + data[8:] + bytes(len(data) % 2) + count + listed + bytes(4) + tail


def _levels(samples: Samples, *, is_color: bool) -> UInt8Array:
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples)
    if is_color and samples.dtype in (np.uint16, np.uint32):
        return (samples >> (8 * samples.dtype.itemsize - 8)).astype(np.uint8)
    if samples.dtype == np.uint16:
        return to_gray_levels(np.arange(1 << 16), 0, 0xFFFF)[samples]
    return to_gray_levels(samples, *percentile_range(thinned(samples)))


def _divided(levels: UInt8Array, alpha: Samples) -> UInt8Array:
    """Divide color by the alpha that it was multiplied with; without any, it is black."""
    opacity = _levels(alpha, is_color=True).astype(np.int32)[..., None]
    divided = levels.astype(np.int32) * 255 // np.maximum(opacity, 1)
    return np.where(opacity == 0, 0, np.minimum(divided, 255)).astype(np.uint8)
