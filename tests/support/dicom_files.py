"""Valid DICOM files made in code, for tests."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, config, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
UID_ROOT = "1.2.826.0.1.3680043.8.498"


@config.disable_value_validation()
def dicom_dataset(pixels: npt.NDArray[Any], *, multi_frame: bool = False, **attributes: object) -> Dataset:
    """Make an uncompressed instance of stored values: `[H, W]`, `[H, W, 3]`, or the same with frames before."""
    has_color = pixels.ndim == 3 + multi_frame
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.SOPClassUID = SECONDARY_CAPTURE
    instance.StudyInstanceUID, instance.SeriesInstanceUID = f"{UID_ROOT}.1", f"{UID_ROOT}.1.2"
    instance.SOPInstanceUID = f"{UID_ROOT}.1.2.3"
    instance.PatientID, instance.PatientName = "MRN-0042", "Doe^Jane"
    instance.Modality = "DX"
    instance.Rows, instance.Columns = pixels.shape[multi_frame : multi_frame + 2]
    instance.SamplesPerPixel = 3 if has_color else 1
    instance.PhotometricInterpretation = "RGB" if has_color else "MONOCHROME2"
    if has_color:
        instance.PlanarConfiguration = 0
    instance.BitsAllocated = instance.BitsStored = 8 * pixels.dtype.itemsize
    instance.PixelRepresentation = int(pixels.dtype.kind == "i")
    if multi_frame:
        instance.NumberOfFrames = len(pixels)
    for keyword, value in attributes.items():
        setattr(instance, keyword, value)
    instance.HighBit = attributes.get("HighBit", instance.BitsStored - 1)
    instance.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    instance["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return instance


@config.disable_value_validation()
def to_bytes(instance: Dataset, syntax: str | None = None) -> bytes:
    """Write an instance as a Part 10 file, under another transfer syntax if told so (without changing the pixels)."""
    if syntax is not None:
        instance.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = io.BytesIO()
    dcmwrite(buffer, instance, enforce_file_format=True)
    return buffer.getvalue()


def dicom_file(pixels: npt.NDArray[Any], *, multi_frame: bool = False, **attributes: object) -> bytes:
    """Make an uncompressed Part 10 file, explicit little endian."""
    return to_bytes(dicom_dataset(pixels, multi_frame=multi_frame, **attributes))


def big_endian_file(pixels: npt.NDArray[Any], **attributes: object) -> bytes:
    """Make an uncompressed Part 10 file, explicit big endian."""
    instance = dicom_dataset(pixels, multi_frame=False, **attributes)
    instance.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    return to_bytes(instance, ExplicitVRBigEndian)


def compressed_file(pixels: npt.NDArray[Any], syntax: str, *, multi_frame: bool = False, **attributes: object) -> bytes:
    """Make a Part 10 file that pydicom compresses: RLE, JPEG-LS or JPEG 2000."""
    instance = dicom_dataset(pixels, multi_frame=multi_frame, **attributes)
    instance.compress(syntax, generate_instance_uid=False)
    return to_bytes(instance)


def encapsulated_file(frames: list[bytes], syntax: str, pixels: npt.NDArray[Any], **attributes: object) -> bytes:
    """Make a Part 10 file of frames that were compressed elsewhere; `pixels` describes them."""
    instance = dicom_dataset(pixels, multi_frame=False, **attributes)
    instance.PixelData = encapsulate(frames)
    instance["PixelData"].VR = "OB"
    instance["PixelData"].is_undefined_length = True
    return to_bytes(instance, syntax)


def lookup_table(entries: npt.NDArray[np.uint16], *, first: int, bits: int, is_signed: bool = False) -> Sequence:
    """Make a Modality or VOI LUT Sequence of one item."""
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "SS" if is_signed else "US"
    item.LUTData = [int(entry) for entry in entries]
    item["LUTData"].VR = "US"
    item.ModalityLUTType = "US"
    return Sequence([item])
