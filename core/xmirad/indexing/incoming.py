"""What arrives to be stored, and the identity that it gets."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from xmirad.catalog.records import Identity
from xmirad.errors import InvalidImageError
from xmirad.ids import SiteKey, image_digest, is_placeholder, item_id, upload_key
from xmirad.types import DecodedImage, DicomHeader, EncodedImage, ItemAttributes, Patient


@dataclass(frozen=True, slots=True)
class IncomingItem:
    """An image to store.

    Attributes:
        image: The file, not yet trusted.
        external_id: The uploader's identifier; empty means the digest of the content.
        file_name: Name of the file that the image comes from, for people; not part of its identity, never logged.
        attributes: What the uploader says of the image.
        patient: Whose image it is, if the uploader says so.
        restore_deleted: Store it even though it was deleted before.
    """

    image: EncodedImage
    external_id: str = ""
    attributes: ItemAttributes = field(default_factory=ItemAttributes)
    patient: Patient | None = None
    restore_deleted: bool = False
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Identified:
    """An incoming image that is decoded and identified.

    Attributes:
        item: The item's id.
        image: Digest of the image.
        file: Digest of the file.
        attributes: Attributes of uploader and header together.
        patient: Key of the patient; of study or item where the patient is not known.
        patient_known: Whether `patient` stands for a patient.
        identity: What leads back to the source system.
    """

    item: str
    image: str
    file: str
    attributes: ItemAttributes
    patient: str
    patient_known: bool
    identity: Identity


def identify(
    archive: str, incoming: IncomingItem, decoded: DecodedImage, *, file: str, site_key: SiteKey
) -> Identified:
    """Settle the identity of a decoded image; `file` is the digest of its bytes.

    Raises:
        InvalidImageError: If it is a DICOM instance without valid UIDs.
    """
    header = decoded.dicom
    if header is not None and header.invalid_uids:
        keyword = header.invalid_uids[0]
        message = f"the DICOM file has no valid {keyword}, which an image to store must have"
        raise InvalidImageError(message, field="dicom_file", metadata={"attribute": keyword})
    image = image_of(incoming.image, header, file=file)
    if header is None:
        identity = Identity(external_id=incoming.external_id, file_name=incoming.file_name)
        item = item_id(archive, upload_key(external_id=incoming.external_id, digest=image))
    else:
        uids = (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid)
        identity = Identity(incoming.external_id, *uids, header.frame, incoming.file_name)
        item = item_id(archive, site_key.dicom_key(header.sop_instance_uid, header.frame))
    patient, known = patient_key(incoming.patient, header, item=item, site_key=site_key)
    attributes = merged(incoming.attributes, header.attributes if header else ItemAttributes())
    return Identified(item, image, file, attributes, patient, known, identity)


def image_of(image: EncodedImage, header: DicomHeader | None, *, file: str) -> str:
    """Return the digest of an image: of its file, or of file and frame where the file has several frames."""
    if header is None or header.frame_count == 1:
        return file
    return image_digest(image.data, header.frame)


def patient_key(
    stated: Patient | None, header: DicomHeader | None, *, item: str, site_key: SiteKey
) -> tuple[str, bool]:
    """Return the key to group by and whether it stands for a patient rather than for a study or an item."""
    found = header.patient if header else None
    key = stated_key(stated, site_key=site_key) or stated_key(found, site_key=site_key)
    if key is not None:
        return key, True
    if header is not None:
        return site_key.study_key(header.study_instance_uid), False
    return site_key.item_key(item), False


def stated_key(patient: Patient | None, *, site_key: SiteKey) -> str | None:
    """Return the key of a patient who is named, or None where there is none or a placeholder such as `ANONYMOUS`."""
    if patient is None or is_placeholder(patient.patient_id):
        return None
    return site_key.patient_key(patient)


def merged(stated: ItemAttributes, found: ItemAttributes) -> ItemAttributes:
    """Return what was stated, with the header's values where nothing was."""
    changes: dict[str, Any] = {
        f.name: getattr(found, f.name) for f in fields(stated) if getattr(stated, f.name) == f.default
    }
    return replace(stated, **changes)
