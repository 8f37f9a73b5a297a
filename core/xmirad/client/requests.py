"""Building requests from values. Knows no transport."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np

from xmirad.api.conversion import attributes_to_proto, embedding_to_proto, filter_to_proto, patient_to_proto
from xmirad.api.enums import ITEM_VIEW, ORIGINALS_POLICY, PATIENT_POLICY, SEARCH_VIEW
from xmirad.api.evidence import calibration_to_proto
from xmirad.api.images import image_to_proto
from xmirad.api.limits import MAX_PAGE_SIZE
from xmirad.api.v1 import archive_service_pb2, resources_pb2, retrieval_service_pb2
from xmirad.api.vocabulary import ItemView
from xmirad.client.search_types import Feedback, SearchSource, StreamedSearch
from xmirad.client.types import Upload
from xmirad.errors import InvalidRequestError
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.ids import archive_name
from xmirad.types import EncodedImage, ItemFilter, OriginalsPolicy, Patient


def model_name(model: str) -> str:
    """Return the resource name of a model given by short name, digest or resource name; an empty text stays empty."""
    return model if not model or model.startswith("models/") else f"models/{model}"


def create_archive_request(
    archive: str, *, model: str, originals: OriginalsPolicy
) -> archive_service_pb2.CreateArchiveRequest:
    """Ask for an archive to be created."""
    return archive_service_pb2.CreateArchiveRequest(
        archive_id=archive, model=model_name(model), originals=ORIGINALS_POLICY.to_proto(originals)
    )


def set_calibration_request(
    archive: str, calibration: EvidenceCalibration | None
) -> archive_service_pb2.SetEvidenceCalibrationRequest:
    """Ask for a calibration to be set, or taken away."""
    with sendable():
        return archive_service_pb2.SetEvidenceCalibrationRequest(
            archive=archive_name(archive),
            calibration=None if calibration is None else calibration_to_proto(calibration),
        )


def create_item_request(archive: str, upload: Upload) -> archive_service_pb2.CreateItemRequest:
    """Ask for one image to be stored."""
    return archive_service_pb2.CreateItemRequest(archive=archive_name(archive), item=_item_upload(upload))


def upload_items_request(archive: str, upload: Upload) -> archive_service_pb2.UploadItemsRequest:
    """Ask for an image of a stream to be stored."""
    return archive_service_pb2.UploadItemsRequest(
        correlation_id=upload.correlation_id, archive=archive_name(archive), item=_item_upload(upload)
    )


def list_items_request(
    archive: str, *, item_filter: ItemFilter, view: ItemView, page_token: str
) -> archive_service_pb2.ListItemsRequest:
    """Ask for the longest page of an archive's items."""
    return archive_service_pb2.ListItemsRequest(
        archive=archive_name(archive),
        page_size=MAX_PAGE_SIZE,
        page_token=page_token,
        filter=filter_to_proto(item_filter, archive=archive),
        view=ITEM_VIEW.to_proto(view),
    )


def purge_items_request(
    archive: str, *, item_filter: ItemFilter | None, patient: Patient | None, force: bool
) -> archive_service_pb2.PurgeItemsRequest:
    """Ask for the items of a filter or of a patient to be counted or deleted.

    Raises:
        InvalidRequestError: If not exactly one of both is given.
    """
    if (item_filter is None) == (patient is None):
        raise InvalidRequestError("exactly one of filter and patient must be given", field="selection")
    return archive_service_pb2.PurgeItemsRequest(
        archive=archive_name(archive),
        filter=None if item_filter is None else filter_to_proto(item_filter, archive=archive),
        patient=patient_to_proto(patient),
        force=force,
        request_id=uuid4().hex,
    )


def search_request(archive: str, search: StreamedSearch) -> retrieval_service_pb2.SearchRequest:
    """Ask for the nearest items.

    Raises:
        InvalidRequestError: If the request cannot be put into a message.
    """
    with sendable():
        return retrieval_service_pb2.SearchRequest(
            archive=archive_name(archive),
            top_k=search.top_k,
            filter=filter_to_proto(search.filter, archive=archive),
            patient=patient_to_proto(search.patient),
            patient_policy=PATIENT_POLICY.to_proto(search.patient_policy),
            exclude_query_item=search.exclude_query_item,
            min_score=search.min_score,
            exact=search.exact,
            model=model_name(search.model),
            view=SEARCH_VIEW.to_proto(search.view),
            explain_top=search.explain_top,
            evidence=search.evidence,
            allow_partial=search.allow_partial,
            **source_fields(search.source),
        )


def stream_search_request(archive: str, search: StreamedSearch) -> retrieval_service_pb2.StreamSearchRequest:
    """Ask for the nearest items within a stream."""
    return retrieval_service_pb2.StreamSearchRequest(
        correlation_id=search.correlation_id, search=search_request(archive, search)
    )


def embed_image_request(image: EncodedImage, *, model: str) -> retrieval_service_pb2.EmbedImageRequest:
    """Ask for the embedding of an image."""
    return retrieval_service_pb2.EmbedImageRequest(model=model_name(model), **_image(image))


def _item_upload(upload: Upload) -> archive_service_pb2.ItemUpload:
    with sendable():
        return archive_service_pb2.ItemUpload(
            external_id=upload.external_id,
            attributes=attributes_to_proto(upload.attributes),
            patient=patient_to_proto(upload.patient),
            restore_deleted=upload.restore_deleted,
            file_name=upload.file_name,
            **_image(upload.image),
        )


def source_fields(source: SearchSource) -> dict[str, Any]:
    """Return the field of a oneof `source` that holds an image, the name of an item, a vector, or feedback."""
    if isinstance(source, Feedback):
        return {
            "feedback": resources_pb2.Feedback(
                positive_items=source.positive_items,
                negative_items=source.negative_items,
                **source_fields(source.source),
            )
        }
    if isinstance(source, EncodedImage):
        return _image(source)
    if isinstance(source, str):
        return {"item": source}
    return {"embedding": embedding_to_proto(np.asarray(source, dtype=np.float32).ravel())}


def _image(image: EncodedImage) -> dict[str, Any]:
    message = image_to_proto(image)
    return {"image": message} if isinstance(message, resources_pb2.Image) else {"dicom_file": message}


@contextmanager
def sendable() -> Iterator[None]:
    """Turn protobuf's refusal of a value into ours: bytes of a file name that are no text, a number beyond 32 bits."""
    try:
        yield
    except ValueError as error:
        raise InvalidRequestError(f"the request has a value that cannot be sent: {error}") from error
