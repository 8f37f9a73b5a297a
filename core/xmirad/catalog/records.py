"""What the blob store says of archives and items. Records are immutable: a change is a new revision."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from xmirad.errors import XmiradError
from xmirad.types import ImageGeometry, ItemAttributes, OriginalsPolicy, Sex

SCHEMA = 1


class RecordCorruptError(ValueError):
    """A stored record cannot be read."""


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """An archive as it was created.

    Attributes:
        archive: The archive's id.
        site: The tenant that it belongs to.
        model: Digest of the model that it is bound to.
        embedding_size: Length of an embedding of that model.
        preprocessing: Digest of the model's preprocessing geometry.
        site_key_fingerprint: Which site key its hashes were made with.
        originals: What is kept of uploaded files.
        create_time: Seconds since the epoch.
    """

    archive: str
    site: str
    model: str
    embedding_size: int
    preprocessing: str
    site_key_fingerprint: str
    originals: OriginalsPolicy
    create_time: float


@dataclass(frozen=True, slots=True)
class Identity:
    """What leads back to the source system. Lives in the record only, never in the vector store."""

    external_id: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    frame: int = 0
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item as it was stored.

    Attributes:
        archive: The archive's id.
        item: The item's id.
        revision: 1 for the first record of the item, one more for each change of its attributes.
        image: Digest of the image.
        file: Digest of the file that the image came in.
        preprocessing: Digest of the preprocessing geometry of its model input.
        attributes: What is known of the image.
        patient: Key of the patient; of study or item where the patient is not known.
        patient_known: Whether `patient` stands for a patient.
        identity: What leads back to the source system.
        geometry: How the original became the model's input.
        media_type: Media type of the file.
        create_time: When the item was first stored, in seconds since the epoch.
    """

    archive: str
    item: str
    revision: int
    image: str
    file: str
    preprocessing: str
    attributes: ItemAttributes
    patient: str
    patient_known: bool
    identity: Identity
    geometry: ImageGeometry
    media_type: str
    create_time: float

    def says_the_same(self, other: "ItemRecord") -> bool:
        """Return whether two records of one item differ in nothing but revision, time and file name."""
        return self == replace(
            other,
            revision=self.revision,
            create_time=self.create_time,
            identity=replace(other.identity, file_name=self.identity.file_name),
        )


def encode(record: ArchiveRecord | ItemRecord) -> bytes:
    """Return a record as JSON."""
    return json.dumps({"schema": SCHEMA, **asdict(record)}, sort_keys=True, ensure_ascii=False).encode()


def decode_archive(data: bytes) -> ArchiveRecord:
    """Read an archive's record.

    Raises:
        RecordCorruptError: If it is not one.
    """
    try:
        values = _values(data)
        return ArchiveRecord(**{**values, "originals": OriginalsPolicy(values["originals"])})
    except (KeyError, TypeError, ValueError) as error:
        raise RecordCorruptError("archive record") from error


def decode_item(data: bytes) -> ItemRecord:
    """Read an item's record.

    Raises:
        RecordCorruptError: If it is not one.
    """
    try:
        values = _values(data)
        values["attributes"] = _attributes(values["attributes"])
        values["identity"] = Identity(**values["identity"])
        values["geometry"] = ImageGeometry(**values["geometry"])
        return ItemRecord(**values)
    except (KeyError, TypeError, ValueError, XmiradError) as error:
        raise RecordCorruptError("item record") from error


def _values(data: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(data)
    if values.pop("schema") != SCHEMA:
        raise ValueError("a schema that this version does not know")
    return values


def _attributes(values: dict[str, Any]) -> ItemAttributes:
    sex = values["sex"]
    return ItemAttributes(**{**values, "labels": tuple(values["labels"]), "sex": Sex(sex) if sex else None})
