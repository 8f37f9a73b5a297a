"""TIFF files of plain samples, written by hand: what Pillow cannot write."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]

UNSIGNED, SIGNED, FLOATING = 1, 2, 3
NONE, DEFLATE = 1, 8
_LONG_TAGS = {256, 257, 273, 279, 324, 325}
Tags = Mapping[int, tuple[int, ...]]


def tiff_file(
    pixels: Samples,
    *,
    order: Literal["<", ">"] = "<",
    is_big: bool = False,
    photometric: int | None = None,
    are_planes_apart: bool = False,
    tile: int = 0,
    compression: int = NONE,
    predictor: int = 1,
    tags: Tags | None = None,
) -> bytes:
    """Write a TIFF of one page.

    Args:
        pixels: Samples, `[height, width, samples]`.
        order: Byte order.
        is_big: Write a BigTIFF.
        photometric: RGB or black is zero if None.
        are_planes_apart: Store every sample's plane for itself.
        tile: Side of square tiles; 0 for strips of 10 rows.
        compression: None or deflate.
        predictor: 1 for none, 2 for horizontal differencing, 3 for floating point.
        tags: More tags, or others.
    """
    directory, blocks = page(
        pixels,
        order=order,
        photometric=photometric,
        are_planes_apart=are_planes_apart,
        tile=tile,
        compression=compression,
        predictor=predictor,
        tags=tags,
    )
    return assembled([(directory, blocks)], order=order, is_big=is_big)


def page(
    pixels: Samples,
    *,
    order: Literal["<", ">"] = "<",
    photometric: int | None = None,
    are_planes_apart: bool = False,
    tile: int = 0,
    compression: int = NONE,
    predictor: int = 1,
    tags: Tags | None = None,
) -> tuple[dict[int, tuple[int, ...]], list[bytes]]:
    """Return a page's directory, without the offsets of its blocks, and the blocks."""
    height, width, samples = pixels.shape
    planes = [pixels[..., [plane]] for plane in range(samples)] if are_planes_apart else [pixels]
    blocks = [
        _encoded(block, order, compression, predictor)
        for plane in planes
        for block in (_tiles(plane, tile) if tile else (plane[top : top + 10] for top in range(0, height, 10)))
    ]
    lengths = tuple(len(block) for block in blocks)
    directory: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (pixels.dtype.itemsize * 8,) * samples,
        259: (compression,),
        262: ((2 if samples >= 3 else 1) if photometric is None else photometric,),
        277: (samples,),
        284: (2 if are_planes_apart else 1,),
        317: (predictor,),
        339: ({"u": UNSIGNED, "i": SIGNED, "f": FLOATING}[pixels.dtype.kind],) * samples,
    }
    directory |= {322: (tile,), 323: (tile,), 325: lengths} if tile else {278: (10,), 279: lengths}
    return directory | dict(tags or {}), blocks


def assembled(
    pages: list[tuple[dict[int, tuple[int, ...]], list[bytes]]], *, order: Literal["<", ">"] = "<", is_big: bool = False
) -> bytes:
    """Put pages together to a file."""
    word, head, count = ("Q", 16, "Q") if is_big else ("I", 8, "H")
    body, starts = b"", []
    for number, (directory, blocks) in enumerate(pages):
        offsets = []
        for block in blocks:
            offsets.append(head + len(body))
            body += block
        listed = dict(directory) | {324 if 322 in directory else 273: tuple(offsets)}
        body += bytes(len(body) % 2)
        starts.append(head + len(body))
        entries, tail = _entries(listed, order, word, behind=starts[-1] + _size(len(listed), word, count))
        end = starts[-1] + _size(len(listed), word, count) + len(tail)
        following = end + sum(map(len, pages[number + 1][1])) if number + 1 < len(pages) else 0
        following += following % 2
        body += struct.pack(f"{order}{count}", len(listed)) + entries + struct.pack(f"{order}{word}", following) + tail
    mark = b"II" if order == "<" else b"MM"
    version = struct.pack(f"{order}HHHQ", 43, 8, 0, starts[0]) if is_big else struct.pack(f"{order}HI", 42, starts[0])
    return mark + version + body


def _size(entries: int, word: str, count: str) -> int:
    room = struct.calcsize(f"={word}")
    return struct.calcsize(f"={count}") + entries * (4 + 2 * room) + room


def _entries(directory: Tags, order: str, word: str, *, behind: int) -> tuple[bytes, bytes]:
    entries, tail = b"", b""
    room = struct.calcsize(f"={word}")
    for tag, values in sorted(directory.items()):
        letter, kind = (("Q", 16) if word == "Q" else ("I", 4)) if tag in _LONG_TAGS else ("H", 3)
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(packed) > room:
            packed, tail = struct.pack(f"{order}{word}", behind + len(tail)), tail + packed + bytes(len(packed) % 2)
        entries += struct.pack(f"{order}HH{word}", tag, kind, len(values)) + packed.ljust(room, b"\0")
    return entries, tail


def _tiles(plane: Samples, side: int) -> Iterator[Samples]:
    height, width, samples = plane.shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = plane[top : top + side, left : left + side]
            whole = np.zeros((side, side, samples), plane.dtype)
            whole[: part.shape[0], : part.shape[1]] = part
            yield whole


def _encoded(block: Samples, order: str, compression: int, predictor: int) -> bytes:
    if predictor == 2:
        block = np.concatenate([block[:, :1], block[:, 1:] - block[:, :-1]], axis=1)
    if predictor == 3:
        rows, columns, samples = block.shape
        numbers = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(">"))).view(np.uint8)
        mixed = numbers.reshape(rows, columns * samples, -1).transpose(0, 2, 1).reshape(rows, -1)
        stored = np.concatenate([mixed[:, :samples], mixed[:, samples:] - mixed[:, :-samples]], axis=1).tobytes()
    else:
        stored = block.astype(block.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]
    return zlib.compress(stored) if compression == DEFLATE else stored
