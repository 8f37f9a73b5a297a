"""A DICOM file to a parsed data set, once its transfer syntax has shown that parsing it is safe.

Read are Part 10 files, and data sets without that header, as older devices and treatment planning systems export them:
without preamble, or without File Meta Information, in one of the uncompressed syntaxes.
"""

import io
import re

from pydicom import Dataset, config
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.uid import UID

from xmirad.errors import InvalidImageError, UnsupportedImageError
from xmirad.imaging.dicom.syntaxes import (
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    SUPPORTED_TRANSFER_SYNTAXES,
)
from xmirad.imaging.media import DICOM_FIELD, data_set_encoding, has_dicom_mark

_META_BEGIN = 132
_META_GROUP = 0x0002
_TRANSFER_SYNTAX = 0x00020010
_UID = re.compile(r"[0-9.]{1,64}")
_GUESSED_SYNTAXES = {
    (True, True): IMPLICIT_LITTLE_ENDIAN,
    (False, True): EXPLICIT_LITTLE_ENDIAN,
    (False, False): EXPLICIT_BIG_ENDIAN,
}


def read_instance(data: bytes) -> tuple[Dataset, str, tuple[str, ...]]:
    """Parse a DICOM file.

    Returns:
        The data set, the UID of its transfer syntax, and notes on what the file lacks.

    Raises:
        InvalidImageError: If it names no valid transfer syntax.
        UnsupportedImageError: If its transfer syntax is not on the list.
    """
    stream = io.BytesIO(data)
    stream.seek(_META_BEGIN if has_dicom_mark(data) else 0)
    syntax = _transfer_syntax(stream)
    notes = () if syntax else ("no File Meta Information: transfer syntax guessed",)
    syntax = syntax or _guessed_syntax(data, stream.tell())
    if syntax not in SUPPORTED_TRANSFER_SYNTAXES:
        raise UnsupportedImageError(
            f"no decoder for the transfer syntax {syntax} is allowed",
            field=DICOM_FIELD,
            metadata={"transfer_syntax": syntax},
        )
    is_big_endian = syntax == EXPLICIT_BIG_ENDIAN
    with config.disable_value_validation():
        instance = read_dataset(stream, syntax == IMPLICIT_LITTLE_ENDIAN, not is_big_endian)
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = UID(syntax)
    return instance, syntax, notes


def is_valid_uid(value: object) -> bool:
    """Return whether a value is a UID: digits and points, 1 to 64 of them."""
    return isinstance(value, str) and _UID.fullmatch(value) is not None


def code_string(item: Dataset, keyword: str) -> str:
    """Return the first value of an attribute of VR CS: white space around it and case do not count (PS3.5 6.2)."""
    value = item.get(keyword)
    first = value if isinstance(value, str) else next(iter(value), "") if value else ""
    return str(first).strip(" \0\t\r\n").upper()


def _transfer_syntax(stream: io.BytesIO) -> str:
    """Read the transfer syntax from the meta group alone, and leave the stream behind that group.

    Where the group is there twice, the first one counts, and both are passed over.

    Returns:
        The UID, or an empty string if there is no meta group.

    Raises:
        InvalidImageError: If there is a group that names no valid syntax.
    """
    elements = data_element_generator(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != _META_GROUP,
    )
    found = list(elements)
    for element in found:
        if element.tag == _TRANSFER_SYNTAX and isinstance(element.value, bytes):
            syntax = element.value.decode("ascii", errors="replace").rstrip("\0 ")
            if is_valid_uid(syntax):
                return syntax
    if found:
        raise InvalidImageError("the DICOM file names no valid transfer syntax", field=DICOM_FIELD)
    return ""


def _guessed_syntax(data: bytes, begin: int) -> str:
    encoding = data_set_encoding(data, begin)
    if encoding is None:
        raise InvalidImageError("the DICOM file has neither a transfer syntax nor a data set", field=DICOM_FIELD)
    return _GUESSED_SYNTAXES[encoding]
