"""A DICOM file to a parsed data set, once its File Meta Information has shown that parsing it is safe."""

import io
import re

from pydicom import Dataset, config, dcmread
from pydicom.filereader import data_element_generator

from xmirad.errors import InvalidImageError, UnsupportedImageError
from xmirad.imaging.dicom.syntaxes import SUPPORTED_TRANSFER_SYNTAXES
from xmirad.imaging.media import DICOM_FIELD

_META_BEGIN = 132
_META_GROUP = 0x0002
_TRANSFER_SYNTAX = 0x00020010
_UID = re.compile(r"[0-9.]{1,64}")
_REQUIRED_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def read_instance(data: bytes) -> tuple[Dataset, str]:
    """Parse a Part 10 file.

    Returns:
        The data set, and the UID of its transfer syntax.

    Raises:
        InvalidImageError: If it is none, or does not say what it is an instance of.
        UnsupportedImageError: If its transfer syntax is not on the list.
    """
    syntax = _transfer_syntax(data)
    if syntax not in SUPPORTED_TRANSFER_SYNTAXES:
        raise UnsupportedImageError(
            f"no decoder for the transfer syntax {syntax} is allowed",
            field=DICOM_FIELD,
            metadata={"transfer_syntax": syntax},
        )
    with config.disable_value_validation():
        instance = dcmread(io.BytesIO(data))
    for keyword in _REQUIRED_UIDS:
        if not _UID.fullmatch(str(instance.get(keyword, ""))):
            raise InvalidImageError(
                f"the DICOM file has no valid {keyword}", field=DICOM_FIELD, metadata={"attribute": keyword}
            )
    return instance, syntax


def _transfer_syntax(data: bytes) -> str:
    """Read the transfer syntax from the meta group alone; nothing behind that group is looked at."""
    stream = io.BytesIO(data)
    stream.seek(_META_BEGIN)
    elements = data_element_generator(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != _META_GROUP,
    )
    for element in elements:
        if element.tag == _TRANSFER_SYNTAX and isinstance(element.value, bytes):
            syntax = element.value.decode("ascii", errors="replace").rstrip("\0 ")
            if _UID.fullmatch(syntax):
                return syntax
    raise InvalidImageError("the DICOM file names no valid transfer syntax", field=DICOM_FIELD)
