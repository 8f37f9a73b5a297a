"""Which transfer syntaxes are decoded, and by which decoders in which order.

The order is fixed here, so that the same file gives the same pixels on every machine; a later decoder is asked only
when an earlier one fails. Not on the list, on purpose: the deflated syntax, which unpacks without bound while the file
is still being parsed; pylibjpeg-libjpeg, which a file of 1.3 kB makes hang; JPEG XL and the video syntaxes, for which
there is no decoder.
"""

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = (IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN)
"""Uncompressed."""

JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
"""JPEG baseline, and JPEG extended: 8 bits by the decoders below, 12 bits by GDCM (`frames`)."""

JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
"""Lossless, and near lossless."""

RLE = "1.2.840.10008.1.2.5"
_JPEG_2000 = ("pylibjpeg", "gdcm", "pillow")
_JPEG_LS_DECODERS = ("pyjpegls", "gdcm")

DECODERS: dict[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2.4.50": ("pillow", "gdcm"),  # JPEG baseline
    "1.2.840.10008.1.2.4.51": ("pillow", "gdcm"),  # JPEG extended
    "1.2.840.10008.1.2.4.57": ("gdcm",),  # JPEG lossless
    "1.2.840.10008.1.2.4.70": ("gdcm",),  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": _JPEG_LS_DECODERS,  # lossless
    "1.2.840.10008.1.2.4.81": _JPEG_LS_DECODERS,  # near lossless
    "1.2.840.10008.1.2.4.90": _JPEG_2000,  # lossless
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),  # HTJ2K lossless, resolution first
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),  # HTJ2K
    RLE: ("pylibjpeg", "pydicom"),  # RLE lossless
}
"""Compressed transfer syntaxes, and pydicom's names of the plugins that decode them, in the order of asking."""

LOSSY = (*JPEG, "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203")
"""Syntaxes after which a stored value may be a little off."""

SUPPORTED_TRANSFER_SYNTAXES: tuple[str, ...] = (*NATIVE, *DECODERS)
"""UIDs of all transfer syntaxes that are decoded."""
