"""Reading answers. Knows no transport; what a newer service may add is tolerated, not refused."""

from datetime import UTC, datetime

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from xmirad.api.enums import ORIGINALS_POLICY, SEX, UNTRAINED_FEATURES, UPLOAD_STATE
from xmirad.api.errors import from_proto_error
from xmirad.api.v1 import archive_service_pb2, model_service_pb2, resources_pb2, server_service_pb2
from xmirad.client.types import (
    ArchiveInfo,
    ArchiveStats,
    Item,
    ItemIdentity,
    ModelInfo,
    PartialIndex,
    ServerInfo,
    UploadOutcome,
    UploadReceipt,
)
from xmirad.errors import InternalError, XmiradError
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.distances import FeatureReference
from xmirad.types import Float32Array, ImageGeometry, ItemAttributes, OriginalsPolicy

DIGEST_BYTES = 32


def server_info(message: server_service_pb2.ServerInfo) -> ServerInfo:
    """Read what a service is."""
    return ServerInfo(
        version=message.version,
        boot_id=message.boot_id,
        max_message_bytes=message.max_message_bytes,
        max_image_bytes=message.max_image_bytes,
        max_image_pixels=message.max_image_pixels,
        max_top_k=message.max_top_k,
        max_ranking_top_k=message.max_ranking_top_k,
        media_types=tuple(message.media_types),
        transfer_syntaxes=tuple(message.transfer_syntaxes),
        vector_store=message.vector_store,
        intended_use=message.intended_use,
        max_batch_explanations=message.max_batch_explanations,
        max_occlusion_windows=message.max_occlusion_windows,
        features=tuple(message.features),
    )


def model_info(message: model_service_pb2.Model) -> ModelInfo:
    """Read a model."""
    return ModelInfo(
        name=message.name,
        display_name=message.display_name,
        digest=message.digest,
        architecture=message.architecture,
        embedding_size=message.embedding_size,
        preprocessing_json=message.preprocessing_json,
        training_data=message.training_data,
        license=message.license,
        card=message.card,
        is_default=message.is_default,
        untrained_features=UNTRAINED_FEATURES.read(message.untrained_features),
        training_image_digests=_digests(message.training_image_digests),
        validation_image_digests=_digests(message.validation_image_digests),
    )


def _digests(packed: bytes) -> frozenset[str]:
    return frozenset(packed[start : start + DIGEST_BYTES].hex() for start in range(0, len(packed), DIGEST_BYTES))


def archive_info(message: archive_service_pb2.Archive) -> ArchiveInfo:
    """Read an archive."""
    return ArchiveInfo(
        name=message.name,
        model=message.model,
        originals=ORIGINALS_POLICY.read(message.originals) or OriginalsPolicy.COPY,
        item_count=message.item_count,
        create_time=time(message.create_time),
        evidence_calibration=calibration(message.evidence_calibration)
        if message.HasField("evidence_calibration")
        else None,
        rebuilding=partial_index(message.rebuilding) if message.HasField("rebuilding") else None,
        optimizing=message.optimizing,
    )


def partial_index(message: resources_pb2.PartialIndex) -> PartialIndex:
    """Read how far an index is."""
    return PartialIndex(message.indexed_items, message.total_items)


def calibration(message: archive_service_pb2.EvidenceCalibration) -> EvidenceCalibration:
    """Read what an archive's evidence is calibrated with."""
    return EvidenceCalibration(
        temperature=message.temperature,
        pseudo_count=message.pseudo_count,
        label_count=message.label_count,
        distance_threshold=message.distance_threshold if message.HasField("distance_threshold") else None,
        neighbors=message.nearest_items,
        labels=tuple(message.labels),
        queries=message.query_count,
        folds=message.fold_count,
        error_before=message.error_before,
        error_after=message.error_after,
        model_digest=message.model.removeprefix("models/"),
        data_digest=message.data_digest,
        created=message.create_time.ToMicroseconds() / 1e6,
        reference=FeatureReference(message.reference.feature_size, message.reference.features)
        if message.HasField("reference")
        else None,
    )


def archive_stats(message: archive_service_pb2.GetArchiveStatsResponse) -> ArchiveStats:
    """Read an archive in numbers."""
    fields = {entry.field: {counted.value: counted.count for counted in entry.values} for entry in message.fields}
    return ArchiveStats(archive_info(message.archive), message.patient_count, fields)


def receipt(message: archive_service_pb2.UploadReceipt) -> UploadReceipt:
    """Read the receipt of a stored item."""
    return UploadReceipt(message.item, UPLOAD_STATE.read(message.state), message.image_digest, message.indexed)


def upload_outcome(message: archive_service_pb2.UploadItemsResponse) -> UploadOutcome:
    """Read what became of an upload of a stream."""
    stored = receipt(message.receipt) if message.HasField("receipt") else None
    error = from_proto_error(message.error) if message.HasField("error") else None
    if stored is None and error is None:
        error = neither_nor()
    return UploadOutcome(message.correlation_id, stored, error)


def neither_nor() -> XmiradError:
    """Return the error for an answer of a stream that says nothing."""
    return InternalError("the service answered with neither a result nor an error")


def item(message: resources_pb2.Item) -> Item:
    """Read an item in whatever view it came."""
    return Item(
        name=message.name,
        attributes=attributes(message.attributes),
        image_digest=message.image_digest,
        geometry=geometry(message.geometry) if message.HasField("geometry") else None,
        identity=identity(message.identity) if message.HasField("identity") else None,
        create_time=time(message.create_time) if message.HasField("create_time") else None,
        embedding=embedding(message.embedding) if message.HasField("embedding") else None,
    )


def attributes(message: resources_pb2.ItemAttributes) -> ItemAttributes:
    """Read what is known of an image."""
    return ItemAttributes(
        labels=tuple(message.labels),
        dataset=message.dataset,
        split=message.split,
        source=message.source,
        modality=message.modality,
        body_part=message.body_part,
        view_position=message.view_position,
        year=message.year if message.HasField("year") else None,
        sex=SEX.read(message.sex),
        age_band=message.age_band if message.HasField("age_band") else None,
        synthetic=message.synthetic,
    )


def geometry(message: resources_pb2.ImageGeometry) -> ImageGeometry:
    """Read how an original became the model's input."""
    return ImageGeometry(
        original_width=message.original_width,
        original_height=message.original_height,
        resized_width=message.resized_width,
        resized_height=message.resized_height,
        crop_left=message.crop_left,
        crop_top=message.crop_top,
        crop_size=message.crop_size,
    )


def identity(message: resources_pb2.ItemIdentity) -> ItemIdentity:
    """Read what leads back to the source system."""
    return ItemIdentity(
        external_id=message.external_id,
        study_instance_uid=message.study_instance_uid,
        series_instance_uid=message.series_instance_uid,
        sop_instance_uid=message.sop_instance_uid,
        frame=message.frame,
        file_name=message.file_name,
    )


def embedding(message: resources_pb2.Embedding) -> Float32Array:
    """Read a vector, float32 `[embedding_size]`."""
    return np.array(message.values, dtype=np.float32)


def time(message: Timestamp) -> datetime:
    """Read a time, in UTC."""
    return message.ToDatetime(tzinfo=UTC)
