"""Messages of `ArchiveService` from values of the library."""

from xmirad.api import checks
from xmirad.api.conversion import (
    attributes_from_proto,
    attributes_to_proto,
    embedding_to_proto,
    geometry_to_proto,
    identity_to_proto,
    patient_from_proto,
    time_to_proto,
)
from xmirad.api.enums import ORIGINALS_POLICY, UPLOAD_STATE
from xmirad.api.evidence import calibration_to_proto
from xmirad.api.images import encoded_image_from_proto
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.api.v1 import resources_pb2
from xmirad.archive.port import StoredItem
from xmirad.catalog.records import ArchiveRecord, IndexProgress, IndexState, ItemRecord
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.ids import archive_name, item_name
from xmirad.indexing.incoming import IncomingItem
from xmirad.indexing.runner import Stored


def partial_index_message(progress: IndexProgress) -> resources_pb2.PartialIndex:
    """Return how far an index is."""
    return resources_pb2.PartialIndex(indexed_items=progress.done, total_items=progress.total)


def archive_message(
    record: ArchiveRecord, item_count: int, progress: IndexProgress, calibration: EvidenceCalibration | None = None
) -> pb.Archive:
    """Return an archive."""
    return pb.Archive(
        name=archive_name(record.archive),
        model=f"models/{record.model}",
        originals=ORIGINALS_POLICY.to_proto(record.originals),
        item_count=item_count,
        create_time=time_to_proto(record.create_time),
        evidence_calibration=None if calibration is None else calibration_to_proto(calibration),
        rebuilding=None if progress.state.is_whole else partial_index_message(progress),
        optimizing=progress.state is IndexState.OPTIMIZING,
    )


def item_message(archive: str, stored: StoredItem, record: ItemRecord | None) -> resources_pb2.Item:
    """Return an item; `record` adds the FULL view, and an embedding that was fetched the EMBEDDING view."""
    message = resources_pb2.Item(
        name=item_name(archive, stored.item),
        attributes=attributes_to_proto(stored.payload.attributes),
        image_digest=stored.payload.image_digest,
    )
    if record is not None:
        message.geometry.CopyFrom(geometry_to_proto(record.geometry))
        message.identity.CopyFrom(identity_to_proto(record.identity))
        message.create_time.CopyFrom(time_to_proto(record.create_time))
    if stored.embedding is not None:
        message.embedding.CopyFrom(embedding_to_proto(stored.embedding))
    return message


def receipt_message(archive: str, stored: Stored) -> pb.UploadReceipt:
    """Return the receipt of an item that is stored."""
    return pb.UploadReceipt(
        item=item_name(archive, stored.item),
        state=UPLOAD_STATE.to_proto(stored.state),
        image_digest=stored.image,
        indexed=stored.is_indexed,
    )


def incoming_item(message: pb.ItemUpload, *, max_image_bytes: int) -> IncomingItem:
    """Read and check an upload.

    Raises:
        InvalidRequestError: If a field is not allowed.
        PayloadTooLargeError: If the image has too many bytes.
    """
    return IncomingItem(
        image=encoded_image_from_proto(message, max_image_bytes=max_image_bytes, field="item"),
        external_id=checks.external_id(message.external_id, field="item.external_id"),
        attributes=attributes_from_proto(message.attributes, field="item.attributes"),
        patient=patient_from_proto(message.patient, field="item.patient") if message.HasField("patient") else None,
        restore_deleted=message.restore_deleted,
        file_name=checks.file_name(message.file_name, field="item.file_name"),
    )
