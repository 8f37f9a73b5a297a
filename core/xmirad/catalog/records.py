"""What the catalog says of archives and items. A record is not changed: a change is a new revision."""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from xmirad.errors import XmiradError
from xmirad.types import ImageGeometry, ItemAttributes, OriginalsPolicy, Sex

COLUMNS = frozenset({"creation", "archive", "item", "revision", "image", "file"})
"""Fields of an item that have columns of their own; its document holds the others."""


class IndexState(StrEnum):
    """What an archive's part in the vector store is good for."""

    LIVE = "LIVE"
    """It holds every item, but for those that are marked."""
    REQUESTED = "REQUESTED"
    """It is missing, damaged or not wanted any more, and is to be made anew."""
    BUILDING = "BUILDING"
    """It is being filled."""
    OPTIMIZING = "OPTIMIZING"
    """It holds every item, and its graph or its codes are being made."""

    @property
    def is_whole(self) -> bool:
        """Whether it holds every item, but for those that are marked."""
        return self in (IndexState.LIVE, IndexState.OPTIMIZING)


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far an archive's part in the vector store is.

    Attributes:
        state: What it is good for.
        done: While it is being filled: how many items it holds already, about.
        total: While it is being filled: how many items it will hold, about.
    """

    state: IndexState
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """An archive as it was created.

    Attributes:
        creation: Random id of this creation; an archive of the same name that was deleted had another one.
        archive: The archive's id.
        site: The tenant that it belongs to.
        model: Digest of the model that it is bound to.
        embedding_size: Length of an embedding of that model.
        preprocessing: Digest of the model's preprocessing geometry.
        site_key_fingerprint: Which site key its hashes were made with.
        originals: What is kept of uploaded files.
        create_time: Seconds since the epoch.
    """

    creation: str
    archive: str
    site: str
    model: str
    embedding_size: int
    preprocessing: str
    site_key_fingerprint: str
    originals: OriginalsPolicy
    create_time: float


@dataclass(frozen=True, slots=True)
class DeletedArchive:
    """What purging a deleted archive has to know, also where its record cannot be read."""

    creation: str
    archive: str


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
        creation: The id of the archive's creation.
        archive: The archive's id.
        item: The item's id.
        revision: 1 for the first record of the item, one more for each that follows, also after it was deleted.
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

    creation: str
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

    def has_same_content(self, other: "ItemRecord") -> bool:
        """Return whether two records of one item differ in nothing but revision, time and file name."""
        return self == replace(
            other,
            revision=self.revision,
            create_time=self.create_time,
            identity=replace(other.identity, file_name=self.identity.file_name),
        )


@dataclass(frozen=True, slots=True)
class ItemReference:
    """What the deletion of an item has to know, also where its record cannot be read.

    Attributes:
        item: The item's id.
        image: Digest of its image.
        file: Digest of the file that the image came in.
    """

    item: str
    image: str
    file: str


@dataclass(frozen=True, slots=True)
class ItemState:
    """What is known of an item, whether or not it was deleted.

    Attributes:
        record: Its latest record, or None.
        revision: The last revision that it had; 0 if it was never stored.
        has_tombstone: Whether it was deleted.
    """

    record: ItemRecord | None
    revision: int
    has_tombstone: bool


def encode_item(record: ItemRecord) -> str:
    """Return the fields of a record that have no column, as JSON."""
    values = {name: value for name, value in asdict(record).items() if name not in COLUMNS}
    return json.dumps(values, sort_keys=True)


def decode_item(document: str, **columns: Any) -> ItemRecord:  # noqa: ANN401 - what the columns hold
    """Read an item's record from its document and its columns.

    Raises:
        KeyError: If a field is missing.
        TypeError: If a field has another type, or is not known.
        ValueError: If it is not JSON, or a value is not allowed.
    """
    if not str(document).isascii():
        raise ValueError("a document is written in ASCII")
    values = json.loads(document)
    values["attributes"] = _attributes(values["attributes"])
    values["identity"] = Identity(**values["identity"])
    values["geometry"] = ImageGeometry(**values["geometry"])
    return ItemRecord(**columns, **values)


def _attributes(values: dict[str, Any]) -> ItemAttributes:
    sex = values["sex"]
    try:
        return ItemAttributes(**{**values, "labels": tuple(values["labels"]), "sex": Sex(sex) if sex else None})
    except XmiradError as error:
        raise ValueError(error.message) from error
