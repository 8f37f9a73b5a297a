"""Images that must be refused: by which error, naming which field. Made in code, deterministic, under 100 kB each."""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from support.dicom_files import compressed_file, dicom_dataset, dicom_file, encapsulated_file, lookup_table, to_bytes
from xmirad.errors import (
    InvalidImageError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnsupportedImageError,
    XmiradError,
)
from xmirad.types import EncodedImage

DICOM = "application/dicom"
FRAME = "dicom_file.frame"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
DEFLATED = "1.2.840.10008.1.2.1.99"
GRAY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
GRAY_8 = (GRAY // 16).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class BadImage:
    """An image that must be refused.

    Attributes:
        image: The image.
        error: The class of the error.
        field: The request field that it names.
    """

    image: EncodedImage
    error: type[XmiradError]
    field: str


def good_image() -> EncodedImage:
    """Make an image that must be decoded."""
    return EncodedImage(raster("PNG"))


def raster(kind: str, size: tuple[int, int] = (64, 64)) -> bytes:
    """Encode a smooth image by Pillow."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).save(buffer, kind)
    return buffer.getvalue()


def png(width: int, height: int, data: bytes = b"", *extra: tuple[bytes, bytes]) -> bytes:
    """Put a 1-bit PNG together by hand, so that its parts may be wrong."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")]
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def tiff(width: int, height: int, data: bytes) -> bytes:
    """Put a 1-bit TIFF with one deflated strip together by hand."""
    strip = zlib.compress(data, 9)
    tags = [(256, width), (257, height), (258, 1), (259, 8), (262, 1), (273, 8), (277, 1), (278, height)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (279, len(strip))])
    directory = struct.pack("<H", len(tags) + 1) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory


def bmp(width: int, height: int) -> bytes:
    """Put a BMP header together by hand."""
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, *[0] * 6)


def jpeg_claiming(width: int, height: int, marker: int = 0xC0) -> bytes:
    """Return a JPEG (or by marker 0xF7 JPEG-LS) codestream that claims a size and holds nothing."""
    frame = struct.pack(">BBHBHHB3B", 0xFF, marker, 11, 8, height, width, 1, 1, 0x11, 0)
    scan = struct.pack(">BBHB2B3B", 0xFF, 0xDA, 8, 1, 1, 0, 0, 63, 0)
    return b"\xff\xd8" + frame + scan + bytes(1000) + b"\xff\xd9"


def jpeg_2000_claiming(size: int) -> bytes:
    """Return a JPEG 2000 codestream that claims a size and holds nothing."""
    extent = struct.pack(">HIIIIIIIIHBBB", 0, size, size, 0, 0, size, size, 0, 0, 1, 15, 1, 1)
    coding = struct.pack(">BBHBBBBB", 0, 0, 1, 0, 5, 4, 4, 0) + b"\x01"
    quantization = b"\x40" + bytes(16)
    tile_part = struct.pack(">HHHIBB", 0xFF90, 10, 0, 0, 0, 1) + b"\xff\x93"
    segments = b"".join(
        struct.pack(">HH", code, len(body) + 2) + body
        for code, body in ((0xFF51, extent), (0xFF52, coding), (0xFF5C, quantization))
    )
    return b"\xff\x4f" + segments + tile_part + bytes(1000) + b"\xff\xd9"


def nested_sequences(depth: int) -> bytes:
    """Return a DICOM file with sequences within sequences before anything else."""
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    return _with_early_bytes(opening * depth)


def _with_early_bytes(early: bytes) -> bytes:
    """Put bytes between a file's meta group and its data set."""
    instance = dicom_dataset(GRAY)
    whole = to_bytes(instance)
    first = whole.index(struct.pack("<HH2s", 0x0008, 0x0016, b"UI"))
    return whole[:first] + early + whole[first:]


def deflated_bomb() -> bytes:
    """Return a deflated DICOM file that unpacks to 64 MB."""
    whole = to_bytes(dicom_dataset(GRAY), DEFLATED)
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (
        whole[: whole.index(DEFLATED.encode()) + len(DEFLATED)] + squeezer.compress(bytes(64 << 20)) + squeezer.flush()
    )


def without(keyword: str) -> bytes:
    """Return a DICOM file without an attribute."""
    instance = dicom_dataset(GRAY)
    del instance[keyword]
    return to_bytes(instance)


def _renamed_syntax(syntax: str) -> bytes:
    """Return a DICOM file that names a transfer syntax that pydicom would not write."""
    whole = encapsulated_file([bytes(100)], JPEG_BASELINE, GRAY_8)
    old, new = (uid.encode() + b"\0" * (len(uid) % 2) for uid in (JPEG_BASELINE, syntax))
    length = struct.unpack_from("<I", whole, 140)[0] + len(new) - len(old)
    renamed = whole.replace(struct.pack("<H", len(old)) + old, struct.pack("<H", len(new)) + new, 1)
    return renamed[:140] + struct.pack("<I", length) + renamed[144:]


def _rasters() -> dict[str, BadImage]:
    noise = np.random.default_rng(0).bytes(5000)
    undecodable = {
        "empty": b"",
        "text": b"This is no image.\n" * 50,
        "noise": noise,
        "pdf": b"%PDF-1.7\n" + noise,
        "gif": raster("GIF"),
        "jpeg_2000": raster("JPEG2000"),
        "webp_truncated": raster("WEBP")[:-40],
        "webp_header_only": raster("WEBP")[:30],
        "avif_truncated": raster("AVIF")[:-60],
        "avif_header_only": raster("AVIF")[:32],
        "heic_header_only": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + noise,
        "png_signature_only": raster("PNG")[:8],
        "png_header_only": raster("PNG")[:33],
        "png_truncated": raster("PNG")[:-60],
        "png_corrupt_header": raster("PNG").replace(b"IHDR", b"IHDR\xff", 1),
        "png_zero_width": png(0, 64),
        "png_without_data": png(64, 64),
        "png_text_bomb": png(64, 64, bytes(576), (b"zTXt", b"Title\0\0" + zlib.compress(bytes(64 << 20), 9))),
        "png_strip": raster("PNG", (4000, 10)),
        "jpeg_start_only": b"\xff\xd8\xff\xe0",
        "jpeg_truncated": raster("JPEG")[:-200],
        "jpeg_zero_height": jpeg_claiming(64, 0),
        "tiff_truncated": raster("TIFF")[:600],
        "tiff_short_strip": tiff(64, 64, bytes(10)),
        "tiff_header_only": b"II*\0\x08\0\0\0",
        "bmp_truncated": raster("BMP")[:-1000],
        "bmp_zero_height": bmp(64, 0),
    }
    too_large = {
        "png_bomb": png(12000, 12000, bytes(12000 * 1501)),
        "png_claiming_the_most": png(2**31 - 1, 2**31 - 1),
        "jpeg_claiming_65500_squared": jpeg_claiming(65500, 65500),
        "tiff_bomb": tiff(12000, 12000, bytes(12000 * 1500)),
        "bmp_claiming_100000_squared": bmp(100_000, 100_000),
    }
    bad = {name: BadImage(EncodedImage(data), InvalidImageError, "image") for name, data in undecodable.items()}
    bad |= {name: BadImage(EncodedImage(data), PayloadTooLargeError, "image") for name, data in too_large.items()}
    bad["text_declared_as_png"] = BadImage(EncodedImage(b"text", "image/png"), InvalidImageError, "image")
    for name, image in {
        "png_declared_as_jpeg": EncodedImage(raster("PNG"), "image/jpeg"),
        "dicom_declared_as_png": EncodedImage(dicom_file(GRAY), "image/png"),
        "png_declared_as_gif": EncodedImage(raster("PNG"), "image/gif"),
    }.items():
        bad[name] = BadImage(image, InvalidRequestError, "image.media_type")
    bad["frame_of_a_png"] = BadImage(EncodedImage(raster("PNG"), "", 1), InvalidRequestError, FRAME)
    return bad


def _dicom_structures() -> dict[str, bytes]:
    whole = dicom_file(GRAY)
    return {
        "dicom_empty": b"",
        "dicom_text": b"This is no DICOM file.\n" * 20,
        "dicom_png": raster("PNG"),
        "dicom_preamble_only": bytes(128) + b"DICM",
        "dicom_truncated_meta": whole[:180],
        "dicom_truncated_header": whole[:700],
        "dicom_truncated_pixels": whole[: len(whole) // 2],
        "dicom_without_transfer_syntax": whole.replace(struct.pack("<HH", 2, 0x10), struct.pack("<HH", 2, 0x11), 1),
        "dicom_without_pixels": without("PixelData"),
        "dicom_without_rows": without("Rows"),
        "dicom_without_photometric": without("PhotometricInterpretation"),
        "dicom_nested_sequences": nested_sequences(4000),
        "dicom_huge_unknown_element": _with_early_bytes(struct.pack("<HH2sHI", 8, 5, b"UN", 0, 0x7FFFFFF0)),
        "dicom_pixels_claiming_4_gb": whole.replace(
            struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, GRAY.nbytes),
            struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 0xFFFFFFFE),
        )[:-100],
    }


def _dicom_layouts() -> dict[str, bytes]:
    short_table = lookup_table(np.arange(10, dtype=np.uint16), first=0, bits=12)
    short_table[0].LUTDescriptor = [4096, 0, 12]
    return {
        "dicom_rows_zero": dicom_file(GRAY, Rows=0),
        "dicom_bits_allocated_7": dicom_file(GRAY, BitsAllocated=7, BitsStored=7),
        "dicom_bits_stored_beyond_allocated": dicom_file(GRAY, BitsStored=17),
        "dicom_samples_zero": dicom_file(GRAY, SamplesPerPixel=0),
        "dicom_unknown_photometric": dicom_file(GRAY, PhotometricInterpretation="CMYK"),
        "dicom_frames_2_to_the_31": dicom_file(GRAY, NumberOfFrames=2**31 - 1),
        "dicom_negative_frames": dicom_file(GRAY, NumberOfFrames=-1),
        "dicom_strip": dicom_file(GRAY, Rows=4, Columns=1024),
        "dicom_palette_without_palette": dicom_file(GRAY_8, PhotometricInterpretation="PALETTE COLOR"),
        "dicom_short_lookup_table": dicom_file(GRAY, ModalityLUTSequence=short_table),
    }


def _dicom_codestreams() -> dict[str, bytes]:
    good_rle = compressed_file(GRAY, RLE)
    good_jpeg_2000 = compressed_file(GRAY, JPEG_2000)
    frames_of_one = encapsulated_file([raster("JPEG")], JPEG_BASELINE, GRAY_8, NumberOfFrames=2**31 - 1)
    return {
        "dicom_jpeg_claiming_65500_squared": encapsulated_file([jpeg_claiming(65500, 65500)], JPEG_BASELINE, GRAY_8),
        "dicom_jpeg_ls_claiming_65500_squared": encapsulated_file([jpeg_claiming(65500, 65500, 0xF7)], JPEG_LS, GRAY_8),
        "dicom_jpeg_2000_claiming_60000_squared": encapsulated_file([jpeg_2000_claiming(60000)], JPEG_2000, GRAY),
        "dicom_jpeg_2000_cut": good_jpeg_2000[: len(good_jpeg_2000) - 500] + bytes(500),
        "dicom_jpeg_noise": encapsulated_file([np.random.default_rng(1).bytes(2000)], JPEG_BASELINE, GRAY_8),
        "dicom_jpeg_fill_bytes": encapsulated_file([b"\xff\xd8" + b"\xff" * 50_000], JPEG_BASELINE, GRAY_8),
        "dicom_rle_noise": encapsulated_file([np.random.default_rng(2).bytes(2000)], RLE, GRAY),
        "dicom_rle_cut": good_rle[: len(good_rle) // 2],
        "dicom_one_of_2_to_the_31_compressed_frames": frames_of_one,
    }


def _dicoms() -> dict[str, BadImage]:
    undecodable = _dicom_structures() | _dicom_layouts() | _dicom_codestreams()
    too_large = {
        "dicom_claiming_65535_squared": dicom_file(GRAY, Rows=65535, Columns=65535),
        "dicom_jpeg_2000_of_60000_squared": encapsulated_file(
            [jpeg_2000_claiming(60000)], JPEG_2000, GRAY, Rows=60000, Columns=60000
        ),
    }
    unsupported = {
        "dicom_deflated_bomb": deflated_bomb(),
        "dicom_mpeg_2": _renamed_syntax("1.2.840.10008.1.2.4.100"),
        "dicom_jpeg_xl": _renamed_syntax("1.2.840.10008.1.2.4.110"),
        "dicom_encapsulated_uncompressed": _renamed_syntax("1.2.840.10008.1.2.1.98"),
        "dicom_private_syntax": _renamed_syntax("1.2.840.113619.5.2"),
    }
    several = dicom_file(np.stack([GRAY, GRAY, GRAY]), multi_frame=True)
    bad: dict[str, BadImage] = {}
    for error, files in (
        (InvalidImageError, undecodable),
        (PayloadTooLargeError, too_large),
        (UnsupportedImageError, unsupported),
    ):
        bad |= {name: BadImage(EncodedImage(data, DICOM), error, "dicom_file") for name, data in files.items()}
    for name, data, frame in (
        ("dicom_frame_missing", several, None),
        ("dicom_frame_beyond_the_last", several, 4),
        ("dicom_frame_zero", several, 0),
        ("dicom_frame_negative", several, -1),
        ("dicom_second_frame_of_one", dicom_file(GRAY), 2),
    ):
        bad[name] = BadImage(EncodedImage(data, DICOM, frame), InvalidRequestError, FRAME)
    return bad


BAD_IMAGES: dict[str, BadImage] = _rasters() | _dicoms()
