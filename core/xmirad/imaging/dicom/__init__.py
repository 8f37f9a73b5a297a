"""DICOM files to 8-bit pixels and an allow-listed header, by the rules of the Standard.

Every check that can be made on headers is made before a decoder sees the file. Importing this package does not import
pydicom; its modules other than `syntaxes` do.
"""

from xmirad.imaging.dicom.syntaxes import SUPPORTED_TRANSFER_SYNTAXES

__all__ = ["SUPPORTED_TRANSFER_SYNTAXES"]
