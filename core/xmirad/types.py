"""Values that more than one room passes around."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]


class Sex(StrEnum):
    """Patient's sex (0010,0040) by the Standard's codes."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


class OriginalsPolicy(StrEnum):
    """What an archive keeps of an uploaded file."""

    COPY = "copy"
    REFERENCE = "reference"


class UploadState(StrEnum):
    """What storing an item came to."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class UntrainedFeatures(StrEnum):
    """Where a model has features that no label has shaped."""

    EMBEDDING = "embedding"
    POOLED = "pooled"
    NONE = "none"


class PatientPolicy(StrEnum):
    """What a search does with items of the query's own patient."""

    INCLUDE = "include"
    FLAG = "flag"
    GROUP = "group"
    EXCLUDE = "exclude"


class SamePatient(StrEnum):
    """Whether a result shows the query's patient."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class MethodName(StrEnum):
    """How a pair is explained."""

    OCCLUSION = "occlusion"
    ATTENTION = "attention"
    ACTIVATION = "activation"


class ExplanationState(StrEnum):
    """How far an explanation is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether this state is the last one."""
        return self in (ExplanationState.SUCCEEDED, ExplanationState.FAILED, ExplanationState.CANCELLED)


class EdgeIndex(StrEnum):
    """How an embedded archive finds the nearest items."""

    FLAT = "flat"
    HNSW = "hnsw"
    INT8 = "int8"

    @property
    def is_exact(self) -> bool:
        """True if every query is compared with every embedding itself."""
        return self is EdgeIndex.FLAT


class BackboneKind(StrEnum):
    """What runs a network."""

    OPENVINO = "openvino"
    TORCH = "torch"


class ImportState(StrEnum):
    """How far an import is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether this state is the last one."""
        return self in (ImportState.SUCCEEDED, ImportState.FAILED, ImportState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient as a request names them. Never stored, never logged: only its keyed hash is."""

    patient_id: str
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class ItemAttributes:
    """What is known of an image apart from its pixels; nothing here identifies a person.

    Attributes:
        labels: Class labels.
        dataset: Data set that the image belongs to.
        split: Split of the data set.
        source: Where the data set has the image from.
        modality: Modality (0008,0060).
        body_part: Body Part Examined (0018,0015).
        view_position: View Position (0018,5101).
        year: Year of the study.
        sex: Patient's sex.
        age_band: Lower end of the ten-year age band in years, 0 to 90.
        synthetic: True if the image was generated.
    """

    labels: tuple[str, ...] = ()
    dataset: str = ""
    split: str = ""
    source: str = ""
    modality: str = ""
    body_part: str = ""
    view_position: str = ""
    year: int | None = None
    sex: Sex | None = None
    age_band: int | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class ImageGeometry:
    """How the original's pixels became the model's input; all lengths in pixels.

    Attributes:
        original_width: Width of the original after its stored orientation was applied.
        original_height: Height of the original after its stored orientation was applied.
        resized_width: Width after resizing.
        resized_height: Height after resizing.
        crop_left: Column of the resized image at which the crop begins.
        crop_top: Row of the resized image at which the crop begins.
        crop_size: Width and height of the crop.
    """

    original_width: int
    original_height: int
    resized_width: int
    resized_height: int
    crop_left: int
    crop_top: int
    crop_size: int


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """What is taken from a DICOM header; the identifying part stays in memory until it is hashed.

    Attributes:
        study_instance_uid: Study Instance UID (0020,000D), or an empty string if there is no valid one.
        series_instance_uid: Series Instance UID (0020,000E), or an empty string.
        sop_instance_uid: SOP Instance UID (0008,0018), or an empty string.
        frame: Frame that was decoded, counted from 1.
        frame_count: Number of frames of the instance.
        patient: The patient, or None where the header names none.
        attributes: The attributes on the allow-list.
        invalid_uids: Keywords of the UIDs that an instance must have and this one has not; it can be searched with, but
            not stored.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    frame: int
    frame_count: int
    patient: Patient | None = None
    attributes: ItemAttributes = field(default_factory=ItemAttributes)
    invalid_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as it arrives, not yet trusted.

    Attributes:
        data: The encoded file.
        media_type: Declared media type, `application/dicom` for DICOM, or an empty string to detect it.
        frame: Frame of a DICOM instance, counted from 1, or None.
    """

    data: bytes
    media_type: str = ""
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """What the sandboxed decoder hands back.

    Attributes:
        pixels: The model's input before normalization, uint8 RGB, `[size, size, 3]`, 0 to 255.
        geometry: How the original's pixels became these.
        media_type: Detected media type.
        dicom: Header of a DICOM instance, else None.
        notes: Choices made while decoding, such as `frame 1 of 12`, for the log; without identifying content.
    """

    pixels: UInt8Array
    geometry: ImageGeometry
    media_type: str
    dicom: DicomHeader | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IntRange:
    """An inclusive range; None is an open end."""

    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items take part: AND between fields, OR within one; an empty field asks nothing."""

    labels: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    view_positions: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    years: IntRange | None = None
    sexes: tuple[Sex, ...] = ()
    age_bands: IntRange | None = None
    excluded_items: tuple[str, ...] = ()


class WorkerKind(StrEnum):
    """Which queues a worker empties. Its name begins with this and a hyphen."""

    EXPLAINER = "explainer"
    INDEXER = "indexer"
