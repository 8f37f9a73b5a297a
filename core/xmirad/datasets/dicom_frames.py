"""How many frames a DICOM file has, found in its header without decoding anything.

PS3.5 section 7: elements come in ascending order of their tags, so that everything up to NumberOfFrames (0028,0008) is
read or skipped, and nothing behind it. What cannot be followed is left to the service, which names the reason.
"""

import os
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from xmirad.datasets.dataset import DatasetItem, Unreadable
from xmirad.datasets.selection import FrameChoice
from xmirad.ids import is_placeholder
from xmirad.regular_files import opened_regular_file

RASTER_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif", ".gif"}
MAX_FRAMES = 10_000
MOST_ELEMENTS = 100_000
DEEPEST_SEQUENCES = 16

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1"}
TRANSFER_SYNTAX, PATIENT_ID, NUMBER_OF_FRAMES = 0x00020010, 0x00100020, 0x00280008
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
LONGEST_VALUE = 256


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What is taken from a DICOM header here.

    Attributes:
        frames: NumberOfFrames, or 1.
        has_placeholder: Whether the Patient ID stands for nobody, such as `ANONYMOUS`.
    """

    frames: int
    has_placeholder: bool


@dataclass(slots=True)
class ExpandedItems:
    """Items, one for each frame of the DICOM files with several.

    Attributes:
        items: The items.
        warnings: How many files have several frames, and how many have a placeholder for a Patient ID.
        unreadable: Files that say they have more frames than are read.
    """

    items: list[DatasetItem]
    warnings: list[str]
    unreadable: list[Unreadable]


def expand_frames(items: Iterable[DatasetItem], choice: FrameChoice) -> ExpandedItems:
    """Put the chosen frames of a DICOM file with several in the place of the item for which no frame is named."""
    expanded = ExpandedItems([], [], [])
    counts: Counter[str] = Counter()
    for item in items:
        facts = None if item.frame is not None or _is_raster(item.path) else read_facts(item.path)
        counts["placeholders"] += facts is not None and facts.has_placeholder and item.patient is None
        if facts is None or facts.frames == 1:
            expanded.items.append(item)
        elif facts.frames > MAX_FRAMES:
            why = f"has {facts.frames} frames; at most {MAX_FRAMES} of a file are read: name those wanted in a manifest"
            expanded.unreadable.append(Unreadable(item.path, why))
        else:
            frames = chosen_frames(facts.frames, choice)
            expanded.items += [_framed(item, frame) for frame in frames]
            counts.update(files=1, read=len(frames), there=facts.frames)
    if counts["files"]:
        expanded.warnings.append(
            f"DICOM files with several frames: {counts['files']}; {counts['read']} of {counts['there']} frames are read"
            + (", each as an image" if choice is FrameChoice.ALL else f" (--frames {choice})")
        )
    if counts["placeholders"]:
        expanded.warnings.append(
            f"DICOM files with a placeholder for a Patient ID, such as ANONYMOUS: {counts['placeholders']}; their "
            "patients are not known"
        )
    return expanded


def chosen_frames(count: int, choice: FrameChoice) -> list[int]:
    """Return the frames that are read of so many, counted from 1; of an even number the middle one is the earlier."""
    match choice:
        case FrameChoice.FIRST:
            return [1]
        case FrameChoice.MIDDLE:
            return [(count + 1) // 2]
        case FrameChoice.ALL:
            return list(range(1, count + 1))


def read_facts(path: Path) -> HeaderFacts | None:
    """Read a DICOM file's header, or return None where the file is none or its header cannot be followed."""
    try:
        with opened_regular_file(path) as file:
            return _facts(_Reader(file))
    except (OSError, _NotFollowed):
        return None


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in RASTER_SUFFIXES


def _framed(item: DatasetItem, frame: int) -> DatasetItem:
    return replace(item, frame=frame, external_id=f"{item.external_id}#{frame}" if item.external_id else "")


class _NotFollowed(Exception):
    """The bytes are no DICOM header, or one that is not understood here."""


class _Reader:
    """Reads elements one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.order = "<"
        self.is_explicit = True
        self._left = MOST_ELEMENTS

    def element(self) -> tuple[int, bytes, int]:
        """Return tag, VR (empty where it is implicit) and length of the next element."""
        self._left -= 1
        if self._left < 0:
            raise _NotFollowed
        group, element = struct.unpack(f"{self.order}HH", self._bytes(4))
        tag = group << 16 | element
        if group == ITEM >> 16 or not self.is_explicit:
            return tag, b"", struct.unpack(f"{self.order}I", self._bytes(4))[0]
        vr = self._bytes(2)
        if vr not in LONG_VRS:
            return tag, vr, struct.unpack(f"{self.order}H", self._bytes(2))[0]
        return tag, vr, struct.unpack(f"{self.order}2xI", self._bytes(6))[0]

    def value(self, length: int) -> str:
        """Return a short value as text."""
        if length > LONGEST_VALUE:
            raise _NotFollowed
        return self._bytes(length).decode("latin-1").strip("\0 ")

    def skip(self, vr: bytes, length: int, *, depth: int = 0) -> None:
        """Pass over the value of an element."""
        if length != UNDEFINED:
            self.file.seek(length, os.SEEK_CUR)
            return
        if depth > DEEPEST_SEQUENCES:
            raise _NotFollowed
        was_explicit = self.is_explicit
        self.is_explicit = was_explicit and vr != b"UN"  # PS3.5 6.2.2 note 2: a sequence of unknown VR is implicit
        while (found := self.element())[0] != SEQUENCE_END:
            if found[0] != ITEM:
                raise _NotFollowed
            self._skip_item(found[2], depth=depth + 1)
        self.is_explicit = was_explicit

    def _skip_item(self, length: int, *, depth: int) -> None:
        if length != UNDEFINED:
            self.file.seek(length, os.SEEK_CUR)
            return
        while (found := self.element())[0] != ITEM_END:
            self.skip(found[1], found[2], depth=depth)

    def peek(self, length: int) -> bytes:
        """Return the next bytes and stay where they begin."""
        at = self.file.tell()
        data = self.file.read(length)
        self.file.seek(at)
        return data

    def _bytes(self, length: int) -> bytes:
        data = self.file.read(length)
        if len(data) < length:
            raise _NotFollowed
        return data


def _facts(reader: _Reader) -> HeaderFacts:
    _begin(reader)
    frames, has_placeholder = 1, False
    while reader.peek(4):
        tag, vr, length = reader.element()
        if tag > NUMBER_OF_FRAMES:
            break
        if tag == PATIENT_ID:
            patient_id = reader.value(length)
            has_placeholder = patient_id != "" and is_placeholder(patient_id)
        elif tag == NUMBER_OF_FRAMES:
            frames = _count(reader.value(length))
        else:
            reader.skip(vr, length)
    return HeaderFacts(frames, has_placeholder)


def _count(text: str) -> int:
    """Return a number of frames; what is none counts as one, and the service says what it thinks of it."""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 12 and int(text) else 1


def _begin(reader: _Reader) -> None:
    """Go to the first element behind the file's meta information, and find out how elements are written."""
    reader.file.seek(128)
    if reader.file.read(4) != b"DICM":
        reader.file.seek(0)
        if reader.peek(2) not in (b"\x02\0", b"\x08\0"):
            raise _NotFollowed
    syntax = _meta(reader)
    if syntax in DEFLATED:
        raise _NotFollowed
    reader.order = ">" if syntax == EXPLICIT_BIG else "<"
    vr = reader.peek(6)[4:]
    # Files are known that say explicit and are implicit, and the other way round: letters show which it is.
    reader.is_explicit = vr.isalpha() and vr.isupper()


def _meta(reader: _Reader) -> str:
    syntax = IMPLICIT_LITTLE
    while reader.peek(2) == b"\x02\0":
        tag, vr, length = reader.element()
        if tag == TRANSFER_SYNTAX:
            syntax = reader.value(length)
        else:
            reader.skip(vr, length)
    return syntax
