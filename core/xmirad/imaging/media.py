"""What kind of file an image is, by its first bytes and by what its sender says."""

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


def field_of(image: EncodedImage) -> str:
    """Return the request field that an image came in: `dicom_file` or `image`."""
    is_dicom = image.media_type == DICOM or (not image.media_type and _has_dicom_mark(image.data))
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
    if _has_dicom_mark(image.data):
        detected.insert(0, DICOM)
    if image.media_type == DICOM and DICOM not in detected:
        raise InvalidImageError("the file is no DICOM Part 10 file", field=DICOM_FIELD)
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


def _has_dicom_mark(data: bytes) -> bool:
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
