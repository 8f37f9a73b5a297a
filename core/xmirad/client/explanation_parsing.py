"""Reading explanations. Knows no transport."""

import numpy as np

from xmirad.api.enums import (
    ATTENTION_FORM,
    EXPLAINED_IMAGE,
    EXPLANATION_STATE,
    FIDELITY_VERDICT,
    MAP_QUALITY,
    OCCLUSION_CODEC,
    OCCLUSION_FILL,
)
from xmirad.api.errors import from_proto_error
from xmirad.api.v1 import archive_service_pb2
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.api.vocabulary import MapQuality
from xmirad.client import parsing
from xmirad.client.explanation_types import (
    ActivationMethod,
    AttentionMethod,
    Explanation,
    ExplanationMap,
    ExplanationUpdate,
    MapAreas,
    MapFidelity,
    Method,
    OcclusionMethod,
    WarmFigures,
)
from xmirad.errors import InternalError
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.geometry import Point
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import Float32Array


def explanation(message: pb.Explanation) -> Explanation:
    """Read an explanation.

    Raises:
        InternalError: If a map has not as many values as rows and columns.
    """
    options = message.options
    return Explanation(
        name=message.name,
        state=EXPLANATION_STATE.read(message.state),
        create_time=parsing.time(message.create_time),
        finish_time=parsing.time(message.finish_time) if message.HasField("finish_time") else None,
        windows_done=message.progress.windows_done,
        windows_total=message.progress.windows_total,
        item=message.item,
        query_item=message.query_item,
        query_digest=message.query_digest,
        method=_method(options),
        explained_image=_explained_image(options.explained_image),
        contrast_item=options.contrast_item,
        model=message.model,
        maps=tuple(map(saliency_map, message.maps)),
        error=from_proto_error(message.error) if message.HasField("error") else None,
        attempt=message.attempt,
    )


def update(message: pb.WatchExplanationResponse) -> ExplanationUpdate:
    """Read an explanation after a change.

    Raises:
        InternalError: If a map has not as many values as rows and columns.
    """
    return ExplanationUpdate(explanation(message.explanation), message.resume_token)


def saliency_map(message: pb.SaliencyMap) -> ExplanationMap:
    """Read a map.

    Raises:
        InternalError: If it has not as many values as rows and columns.
    """
    quality = MAP_QUALITY.read(message.quality)
    from_windows = quality is MapQuality.EXACT and message.codec
    return ExplanationMap(
        explained_image=_explained_image(message.explained_image),
        values=_values(message),
        signed=message.signed,
        meaning=message.meaning,
        geometry=parsing.geometry(message.geometry),
        quality=quality,
        estimated_error=message.estimated_error if message.HasField("estimated_error") else None,
        codec=OCCLUSION_CODEC.read(message.codec) if from_windows else None,
        error_five_sigma=message.error_five_sigma,
        preview_errors=tuple(message.preview_errors),
        fidelity=_fidelity(message.fidelity) if message.HasField("fidelity") else None,
        overlay_png=message.overlay_png,
    )


def warm_figures(message: archive_service_pb2.WarmArchiveResponse) -> WarmFigures:
    """Read what computing ahead takes."""
    return WarmFigures(
        selected_items=message.selected_items,
        complete_items=message.complete_items,
        missing_windows=message.missing_windows,
        estimated_seconds=message.estimated_seconds,
        estimated_bytes=message.estimated_bytes,
        budget_bytes=message.budget_bytes,
        queued_tasks=message.queued_tasks,
        given_up_items=message.given_up_items,
        cancelled_images=message.cancelled_images,
    )


def _values(message: pb.SaliencyMap) -> Float32Array:
    try:
        values = np.frombuffer(message.values, dtype="<f4").reshape(message.height, message.width)
    except ValueError as error:
        raise InternalError("the service answered with a map of another size than it says") from error
    return values.astype(np.float32)


def _fidelity(message: pb.MapFidelity) -> MapFidelity:
    return MapFidelity(
        message.fidelity,
        tuple(message.controls),
        FIDELITY_VERDICT.read(message.verdict),
        _areas(message.areas),
        _areas(message.published) if message.HasField("published") else None,
        p_value=message.p_value,
    )


def _areas(message: pb.MapAreas) -> MapAreas:
    return MapAreas(message.insertion, message.deletion)


def _explained_image(number: int) -> ExplainedImage:
    return EXPLAINED_IMAGE.read(number) or ExplainedImage.RESULT


def _method(options: pb.ExplanationOptions) -> Method:
    if options.HasField("attention"):
        attention = options.attention
        form = ATTENTION_FORM.read(attention.form) or AttentionForm.SIAMESE_POSITIVE
        positives, negatives = tuple(attention.positive_items), tuple(attention.negative_items)
        return AttentionMethod(form=form, positive_items=positives, negative_items=negatives)
    if options.HasField("activation"):
        point = options.activation.point if options.activation.HasField("point") else None
        place = None if point is None else Point(point.row, point.column)
        return ActivationMethod(point=place, signed=options.activation.signed)
    occlusion = options.occlusion
    return OcclusionMethod(
        window=occlusion.window,
        stride=occlusion.stride,
        fill=OCCLUSION_FILL.read(occlusion.fill) or Fill.ZERO,
        codec=OCCLUSION_CODEC.read(occlusion.codec) or Codec.INT8,
        signed=occlusion.signed,
    )
