"""What kind of file an image is, by its first bytes and by what its sender says."""

import struct

from xmirad.errors import InvalidImageError, InvalidRequestError
from xmirad.types import EncodedImage

DICOM = "application/dicom"
RASTER_FIELD = "image"
DICOM_FIELD = "dicom_file"

_DICOM_MARK = slice(128, 132)
_MARKS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"II+\x00": "image/tiff",
    b"MM\x00+": "image/tiff",
    b"BM": "image/bmp",
}
RASTER_KINDS = "PNG, JPEG, TIFF, BMP, WebP, HEIC (HEIF) and AVIF"
"""What `raster.decode_raster` reads, for messages."""

_FOREIGN_MARKS = {
    b"GIF8": "a GIF image",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 codestream",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"8BPS": "a Photoshop image",
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive (such as NIfTI .nii.gz)",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"MATLAB": "a MATLAB file",
    b"\x93NUMPY": "a NumPy array",
    b"NRRD": "an NRRD volume",
    b"ObjectType": "a MetaImage volume",
    b"SIMPLE  =": "a FITS image",
    b"\x1aE\xdf\xa3": "a Matroska or WebM video",
    b"\x00\x00\x01\xba": "an MPEG video",
    b"\x00\x00\x01\xb3": "an MPEG video",
    b"\x00\x00\x01\x00": "a Windows icon",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
    b"<!DOCTYPE": "an HTML document",
    b"<html": "an HTML document",
    b"version https://git-lfs": "a Git LFS pointer instead of the file",
    b"P5": "a Netpbm image",
    b"P6": "a Netpbm image",
}
_LATER_MARKS = {
    (344, b"n+1\x00"): "a NIfTI volume",
    (344, b"ni1\x00"): "a NIfTI volume",
    (4, b"n+2\x00"): "a NIfTI volume",
    (257, b"ustar"): "a tar archive",
}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIF_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf"}
_MAX_BRANDS = 64
_FIRST_GROUPS = {0x0002, 0x0008}
_ELEMENTS_CHECKED = 3
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_ENCODINGS = ((False, True), (False, False), (True, True))


def field_of(image: EncodedImage) -> str:
    """Return the request field that an image came in: `dicom_file` or `image`."""
    is_dicom = image.media_type == DICOM or (not image.media_type and is_dicom_file(image.data))
    return DICOM_FIELD if is_dicom else RASTER_FIELD


def media_type_of(image: EncodedImage) -> str:
    """Return an image's media type.

    A file may bear the marks of two types, since a DICOM file begins with 128 bytes of anything. Then the declared type
    decides; without one it is a DICOM file.

    Raises:
        InvalidImageError: If it is of no type that is decoded here.
        InvalidRequestError: If it is not of the declared type, or a frame is asked of what is no DICOM file.
    """
    detected = _raster_types(image.data)
    if is_dicom_file(image.data):
        detected.insert(0, DICOM)
    if image.media_type == DICOM and DICOM not in detected:
        message = "the file is neither a DICOM Part 10 file nor a DICOM data set without Part 10 header"
        raise InvalidImageError(message, field=DICOM_FIELD)
    if not detected:
        raise InvalidImageError(
            f"the file is {_foreign_kind(image.data)}; {RASTER_KINDS} images and DICOM files are read",
            field=RASTER_FIELD,
        )
    if image.media_type and image.media_type not in detected:
        raise InvalidRequestError(
            "the media type does not agree with the image",
            field="image.media_type",
            metadata={"detected_media_type": ", ".join(sorted(detected))},
        )
    media_type = image.media_type or detected[0]
    if image.frame is not None and media_type != DICOM:
        raise InvalidRequestError("only DICOM files have frames to choose from", field="dicom_file.frame")
    return media_type


def is_dicom_file(data: bytes) -> bool:
    """Return whether bytes are a DICOM file: Part 10, or a data set without that header.

    No raster image begins as a data set does, so only one kind can be meant.
    """
    return has_dicom_mark(data) or data_set_encoding(data) is not None


def has_dicom_mark(data: bytes) -> bool:
    """Return whether bytes begin as a Part 10 file: with `DICM` behind 128 bytes of anything."""
    return data[_DICOM_MARK] == b"DICM"


def _raster_types(data: bytes) -> list[str]:
    """Return the media types that a raster image's first bytes allow, the most exact first."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ["image/webp"]
    if data[4:8] == b"ftyp":
        return _types_by_brand(data)
    return [media_type for mark, media_type in _MARKS.items() if data.startswith(mark)]


def _types_by_brand(data: bytes) -> list[str]:
    """Return the media types of an ISO base media file: its major brand decides, then the compatible ones."""
    brands = _brands(data)
    for named in (brands[:1], brands[1:]):
        if _AVIF_BRANDS.intersection(named):
            return ["image/avif"]
        if _HEIC_BRANDS.intersection(named):
            return ["image/heic", "image/heif"]
    return ["image/heif", "image/heic"] if _HEIF_BRANDS.intersection(brands) else []


def _brands(data: bytes) -> list[bytes]:
    length = min(int.from_bytes(data[:4], "big"), len(data), 4 * _MAX_BRANDS)
    return [data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))]


def _foreign_kind(data: bytes) -> str:
    """Name what a file is that is not read, as far as its first bytes tell."""
    if data[4:8] == b"ftyp":
        return "an MP4 or QuickTime video, or another ISO base media file"
    if data[:4] == b"RIFF":
        return "an AVI video" if data[8:12] == b"AVI " else "a RIFF file other than WebP"
    marks = [name for mark, name in _FOREIGN_MARKS.items() if data.startswith(mark)]
    marks += [name for (at, mark), name in _LATER_MARKS.items() if data[at : at + len(mark)] == mark]
    return marks[0] if marks else "empty" if not data else "of a kind that is not known"


def data_set_encoding(data: bytes, begin: int = 0) -> tuple[bool, bool] | None:
    """Return how the DICOM data set that begins at a position is encoded, or None if there is none.

    A data set begins with group 0002 (File Meta Information without preamble) or 0008; its first three elements must
    have ascending tags, known value representations and lengths within the file.

    Returns:
        Whether its value representations are implicit, and whether it is little endian.
    """
    for is_implicit, is_little_endian in _ENCODINGS:
        if _begins_data_set(data, begin, is_implicit=is_implicit, order="<" if is_little_endian else ">"):
            return is_implicit, is_little_endian
    return None


def _begins_data_set(data: bytes, position: int, *, is_implicit: bool, order: str) -> bool:
    last = (0, 0)
    for _ in range(_ELEMENTS_CHECKED):
        try:
            group, element = tag = struct.unpack_from(f"{order}HH", data, position)
            length, position = _value_length(data, position + 4, is_implicit=is_implicit, order=order)
        except (struct.error, ValueError):
            return False
        if tag <= last or (last == (0, 0) and group not in _FIRST_GROUPS):
            return False
        if length == _UNDEFINED_LENGTH:
            return last != (0, 0)
        if length % 2 or position + length > len(data):
            return False
        last, position = (group, element), position + length
    return True


def _value_length(data: bytes, position: int, *, is_implicit: bool, order: str) -> tuple[int, int]:
    """Return the length of an element's value, and where the value begins; `position` is behind the tag.

    Raises:
        ValueError: If the value representation is not known.
    """
    if is_implicit:
        return int(struct.unpack_from(f"{order}I", data, position)[0]), position + 4
    vr = data[position : position + 2]
    if vr in _SHORT_VRS:
        return int(struct.unpack_from(f"{order}H", data, position + 2)[0]), position + 4
    if vr in _LONG_VRS:
        return int(struct.unpack_from(f"{order}I", data, position + 4)[0]), position + 8
    raise ValueError("an unknown value representation")
