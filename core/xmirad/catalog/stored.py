"""What the vector store is told of a record."""

from xmirad.archive.port import ArchiveBinding, ItemPayload, StoredItem
from xmirad.catalog.records import ArchiveRecord, ItemRecord
from xmirad.types import Float32Array


def binding_of(record: ArchiveRecord) -> ArchiveBinding:
    """Return what an archive is bound to."""
    return ArchiveBinding(
        record.archive, record.creation, record.model, record.embedding_size, record.site_key_fingerprint
    )


def payload_of(record: ItemRecord, site: str) -> ItemPayload:
    """Return what is kept beside an item's embedding."""
    return ItemPayload(
        site=site,
        image_digest=record.image,
        attributes=record.attributes,
        patient=record.patient,
        patient_known=record.patient_known,
    )


def stored_item(record: ItemRecord, site: str, embedding: Float32Array) -> StoredItem:
    """Return an item as the vector store holds it."""
    return StoredItem(record.item, payload_of(record, site), embedding, record.revision)
