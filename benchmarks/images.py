"""Generated images that cost a decoder what X-rays cost: smooth shadows with grain.

Any number of files can be made from one picture: each has another comment or UID, so that the service takes them for
different images, while decoding them costs the same. Where they are searched the pictures must differ too: a search
returns equal scores in order, so that it would fetch them all.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from xmirad.types import EncodedImage, UInt8Array

OCTAVES = (4, 8, 16, 32, 64)
GRAIN = 2.0
UID_ROOT = "1.2.826.0.1.3680043.8.498."
UID_DIGITS = 20
PNG_HEADER_BYTES = 33
STORED_BITS = 12


class Format(StrEnum):
    """How a picture is encoded."""

    JPEG = "JPEG"
    PNG = "PNG"
    DICOM = "DICOM"


@dataclass(frozen=True, slots=True)
class ImageKind:
    """A size and a format; its text names it in figures."""

    side: int
    format: Format

    def __str__(self) -> str:
        """Return, for example, `1024x1024 PNG`."""
        return f"{self.side}x{self.side} {'16-bit ' if self.format is Format.DICOM else ''}{self.format}"


SMALL_JPEG = ImageKind(256, Format.JPEG)
LARGE_PNG = ImageKind(1024, Format.PNG)
LARGE_DICOM = ImageKind(3000, Format.DICOM)
TINY_PNG = ImageKind(64, Format.PNG)


class Images:
    """An endless supply of different files of one kind."""

    def __init__(self, kind: ImageKind, *, seed: int, distinct: bool = False) -> None:
        """Encode one picture, which all files show.

        Args:
            kind: Size and format.
            seed: Seed of the picture.
            distinct: Whether each file shows another picture; drawing it takes time.
        """
        self._kind = kind
        self._seed = seed
        self._given = 0
        self._template = b"" if distinct else _encoded(kind, seed=(seed,))

    def take(self, count: int) -> list[EncodedImage]:
        """Return files that were not given before."""
        first, self._given = self._given, self._given + count
        make = self._numbered if self._template else self._drawn
        return [EncodedImage(make(number)) for number in range(first, self._given)]

    def _drawn(self, number: int) -> bytes:
        return _encoded(self._kind, seed=(self._seed, number))

    def _numbered(self, number: int) -> bytes:
        name, template = f"{self._seed}.{number}", self._template
        if self._kind.format is Format.DICOM:
            return template.replace(_uid(0).encode(), _uid(number + 1).encode())
        if self._kind.format is Format.JPEG:
            return template[:2] + b"\xff\xfe" + struct.pack(">H", len(name) + 2) + name.encode() + template[2:]
        chunk = b"tEXtComment\0" + name.encode()
        text = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return template[:PNG_HEADER_BYTES] + text + template[PNG_HEADER_BYTES:]


def many_scans(scans: int = 10_000, *, side: int = 1_600) -> EncodedImage:
    """Return a short progressive JPEG whose last scan is repeated, each of which goes over all pixels again."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side), 90, np.uint8)).save(buffer, "JPEG", progressive=True)
    whole, end = buffer.getvalue()[:-2], b"\xff\xd9"
    return EncodedImage(whole + whole[whole.rindex(b"\xff\xda") :] * scans + end)


def slow_png(side: int = 6_300) -> EncodedImage:
    """Return a PNG of one gray whose pixels take some tenths of a second: it shows only in decoding that it is slow."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side), 90, np.uint8)).save(buffer, "PNG", compress_level=1)
    return EncodedImage(buffer.getvalue())


def radiograph(side: int, *, seed: Sequence[int]) -> UInt8Array:
    """Draw shadows of several sizes with a little grain, gray, `[side, side]`."""
    generator = np.random.default_rng(seed)
    shadows = np.zeros((side, side), np.float32)
    for cells in (cells for cells in OCTAVES if cells <= side):
        noise = Image.fromarray(generator.normal(size=(cells, cells)).astype(np.float32))
        shadows += np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC)) / cells
    shadows = (shadows - shadows.min()) / np.ptp(shadows)
    grain = generator.normal(0, GRAIN, size=(side, side))
    picture: UInt8Array = np.clip(255 * shadows + grain, 0, 255).astype(np.uint8)
    return picture


def _encoded(kind: ImageKind, *, seed: Sequence[int]) -> bytes:
    picture = radiograph(kind.side, seed=seed)
    return _dicom(picture) if kind.format is Format.DICOM else _raster(picture, kind.format)


def _raster(picture: UInt8Array, encoding: Format) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, encoding)
    return buffer.getvalue()


def _dicom(picture: UInt8Array) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(0)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, _uid(0)
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{UID_ROOT}1", f"{UID_ROOT}2"
    data.PatientID, data.Modality = "BENCHMARK", "DX"
    data.Rows, data.Columns = picture.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, STORED_BITS, STORED_BITS - 1, 0
    data.WindowCenter, data.WindowWidth = 2048, 4096
    data.PixelData = (picture.astype("<u2") << (STORED_BITS - 8)).tobytes()
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _uid(number: int) -> UID:
    return UID(f"{UID_ROOT}1{number:0{UID_DIGITS}d}")
