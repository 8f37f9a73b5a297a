"""Building requests of explanations from values. Knows no transport."""

from collections.abc import Sequence
from typing import Any

from xmirad.api.conversion import filter_to_proto
from xmirad.api.enums import (
    ATTENTION_FORM,
    EXPLAINED_IMAGE,
    EXPLANATION_PRIORITY,
    OCCLUSION_CODEC,
    OCCLUSION_FILL,
)
from xmirad.api.limits import MAX_PAGE_SIZE
from xmirad.api.v1 import archive_service_pb2
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, Method, OcclusionMethod
from xmirad.client.requests import sendable, source_fields
from xmirad.client.search_types import SearchSource
from xmirad.errors import InvalidRequestError
from xmirad.ids import archive_name
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ItemFilter


def create_request(
    source: SearchSource,
    item: str,
    *,
    method: Method,
    explained_image: ExplainedImage,
    contrast_item: str,
    published_fidelity: bool,
    priority: ExplanationPriority,
    include_overlay: bool,
) -> pb.CreateExplanationRequest:
    """Ask for a pair to be explained.

    Raises:
        InvalidRequestError: If the request cannot be put into a message.
    """
    with sendable():
        return pb.CreateExplanationRequest(
            query=pb.ExplanationQuery(**source_fields(source)),
            item=item,
            options=_options(method, explained_image, contrast_item, published_fidelity=published_fidelity),
            priority=EXPLANATION_PRIORITY.to_proto(priority),
            include_overlay=include_overlay,
        )


def batch_create_request(
    source: SearchSource,
    items: Sequence[str],
    *,
    method: Method,
    explained_image: ExplainedImage,
    contrast_item: str,
    published_fidelity: bool,
    priority: ExplanationPriority,
) -> pb.BatchCreateExplanationsRequest:
    """Ask for one query and several results to be explained.

    Raises:
        InvalidRequestError: If the request cannot be put into a message.
    """
    with sendable():
        return pb.BatchCreateExplanationsRequest(
            query=pb.ExplanationQuery(**source_fields(source)),
            items=items,
            options=_options(method, explained_image, contrast_item, published_fidelity=published_fidelity),
            priority=EXPLANATION_PRIORITY.to_proto(priority),
        )


def list_request(archive: str, *, page_token: str) -> pb.ListExplanationsRequest:
    """Ask for the longest page of explanations, of one archive or, for an empty string, of all."""
    return pb.ListExplanationsRequest(
        page_size=MAX_PAGE_SIZE, page_token=page_token, archive=archive_name(archive) if archive else ""
    )


def warm_request(
    archive: str, *, item_filter: ItemFilter, max_items: int, dry_run: bool, cancel: bool
) -> archive_service_pb2.WarmArchiveRequest:
    """Ask for the masked embeddings of items to be computed ahead, or no more, or what that takes.

    Raises:
        InvalidRequestError: If the request cannot be put into a message.
    """
    with sendable():
        return archive_service_pb2.WarmArchiveRequest(
            archive=archive_name(archive),
            filter=filter_to_proto(item_filter, archive=archive),
            max_items=max_items,
            dry_run=dry_run,
            cancel=cancel,
        )


def _options(
    method: Method, explained_image: ExplainedImage, contrast_item: str, *, published_fidelity: bool
) -> pb.ExplanationOptions:
    return pb.ExplanationOptions(
        explained_image=EXPLAINED_IMAGE.to_proto(explained_image),
        contrast_item=contrast_item,
        published_fidelity=published_fidelity,
        **_method(method),
    )


def _method(method: Method) -> dict[str, Any]:
    match method:
        case OcclusionMethod():
            return {"occlusion": _occlusion(method)}
        case AttentionMethod():
            form = ATTENTION_FORM.to_proto(method.form)
            positives, negatives = method.positive_items, method.negative_items
            return {"attention": pb.AttentionMethod(form=form, positive_items=positives, negative_items=negatives)}
        case ActivationMethod():
            point = method.point
            place = None if point is None else pb.ImagePoint(row=point.row, column=point.column)
            return {"activation": pb.ActivationMethod(point=place, signed=method.signed)}


def _occlusion(method: OcclusionMethod) -> pb.OcclusionMethod:
    if method.fill is Fill.IMAGE:
        allowed = ", ".join(fill for fill in Fill if fill is not Fill.IMAGE)
        message = f"fill must be one of {allowed}: another image cannot be sent"
        raise InvalidRequestError(message, field="options.occlusion.fill", metadata={"allowed": allowed})
    return pb.OcclusionMethod(
        window=method.window,
        stride=method.stride,
        fill=OCCLUSION_FILL.to_proto(method.fill),
        codec=OCCLUSION_CODEC.to_proto(method.codec),
        signed=method.signed,
    )
