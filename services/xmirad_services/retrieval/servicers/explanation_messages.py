"""Explanations as messages."""

from collections.abc import Sequence

from xmirad.api.conversion import geometry_to_proto, time_to_proto
from xmirad.api.enums import (
    ATTENTION_FORM,
    EXPLAINED_IMAGE,
    EXPLANATION_STATE,
    FIDELITY_VERDICT,
    MAP_QUALITY,
    OCCLUSION_CODEC,
    OCCLUSION_FILL,
)
from xmirad.api.errors import to_proto_error
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.api.vocabulary import MapQuality
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference, MethodName
from xmirad.explanations.results import Areas, Fidelity, KeptMap
from xmirad.explanations.scoring import image_on
from xmirad.explanations.watching import Snapshot
from xmirad.ids import explanation_name, item_name
from xmirad.saliency.fidelity import p_value
from xmirad.saliency.method import ExplainedImage

OCCLUSION = "How much farther apart the images are when this part is hidden. Above 0: it makes them alike."
SIGNED_OCCLUSION = OCCLUSION + " Below 0: it tells them apart."
CONTRAST = "Above 0: this part speaks for the result. Below 0: it speaks for the contrast item."
ATTENTION = "Where the network looks for what the images have in common; only the pattern has a meaning."
ACTIVATION = "How much of the score this place contributes."
SIGNED_ACTIVATION = ACTIVATION + " Below 0: it speaks against the match."


def explanation_message(snapshot: Snapshot, *, overlays: Sequence[bytes] = ()) -> pb.Explanation:
    """Return an explanation at one moment; `overlays` belong to its maps in order."""
    asked = snapshot.asked
    request = asked.request
    return pb.Explanation(
        name=explanation_name(request.explanation),
        state=EXPLANATION_STATE.to_proto(snapshot.state),
        create_time=time_to_proto(asked.create_time),
        finish_time=None if snapshot.finish_time is None else time_to_proto(snapshot.finish_time),
        progress=pb.ExplanationProgress(windows_done=snapshot.windows_done, windows_total=snapshot.windows_total),
        item=item_name(request.archive, request.result.item),
        query_item=item_name(request.archive, request.query.item) if request.query.kind is ImageKind.ITEM else "",
        query_digest=request.query.digest,
        options=_options(request),
        model=f"models/{request.model}",
        maps=[_map(request, kept, overlays[at] if overlays else b"") for at, kept in enumerate(snapshot.maps)],
        error=None if snapshot.error is None else to_proto_error(snapshot.error),
        attempt=asked.attempt,
    )


def _options(request: ExplanationRequest) -> pb.ExplanationOptions:
    options = pb.ExplanationOptions(
        explained_image=EXPLAINED_IMAGE.to_proto(request.explained_image),
        contrast_item=item_name(request.archive, request.contrast.item) if request.contrast else "",
        published_fidelity=request.published_fidelity,
    )
    if request.method is MethodName.OCCLUSION:
        occlusion = request.occlusion
        options.occlusion.CopyFrom(
            pb.OcclusionMethod(
                window=occlusion.window,
                stride=occlusion.stride,
                fill=OCCLUSION_FILL.to_proto(occlusion.fill),
                codec=OCCLUSION_CODEC.to_proto(occlusion.codec),
                signed=occlusion.signed,
            )
        )
    elif request.method is MethodName.ATTENTION:
        attention = request.attention
        options.attention.CopyFrom(
            pb.AttentionMethod(
                form=ATTENTION_FORM.to_proto(attention.form),
                positive_items=_names(request.archive, attention.positives),
                negative_items=_names(request.archive, attention.negatives),
            )
        )
    else:
        point = request.activation.point
        place = None if point is None else pb.ImagePoint(row=point[0], column=point[1])
        options.activation.CopyFrom(pb.ActivationMethod(point=place, signed=request.activation.signed))
    return options


def _names(archive: str, images: Sequence[ImageReference]) -> list[str]:
    return [item_name(archive, image.item) for image in images]


def _map(request: ExplanationRequest, kept: KeptMap, overlay: bytes) -> pb.SaliencyMap:
    saliency = kept.saliency
    geometry = image_on(request, saliency.explained_image).geometry
    height, width = saliency.values.shape
    return pb.SaliencyMap(
        explained_image=EXPLAINED_IMAGE.to_proto(saliency.explained_image),
        height=height,
        width=width,
        values=kept.pixels(),
        minimum=float(saliency.values.min()),
        maximum=float(saliency.values.max()),
        signed=saliency.signed,
        meaning=_meaning(request, saliency.explained_image),
        geometry=None if geometry is None else geometry_to_proto(geometry),
        quality=MAP_QUALITY.to_proto(MapQuality.EXACT if saliency.exact else MapQuality.APPROXIMATE),
        estimated_error=saliency.estimated_error,
        codec=OCCLUSION_CODEC.to_proto(kept.codec),
        error_five_sigma=saliency.error_five_sigma,
        preview_errors=saliency.preview_errors,
        fidelity=None if kept.fidelity is None else _fidelity(kept.fidelity),
        overlay_png=overlay,
    )


def _fidelity(fidelity: Fidelity) -> pb.MapFidelity:
    return pb.MapFidelity(
        fidelity=fidelity.areas.fidelity,
        controls=fidelity.controls,
        verdict=FIDELITY_VERDICT.to_proto(fidelity.verdict),
        areas=_areas(fidelity.areas),
        published=None if fidelity.published is None else _areas(fidelity.published),
        p_value=p_value(fidelity.areas.fidelity, fidelity.controls),
    )


def _areas(areas: Areas) -> pb.MapAreas:
    return pb.MapAreas(insertion=areas.insertion, deletion=areas.deletion)


def _meaning(request: ExplanationRequest, side: ExplainedImage) -> str:
    if request.method is MethodName.ATTENTION:
        return ATTENTION
    if request.method is MethodName.ACTIVATION:
        return SIGNED_ACTIVATION if request.activation.signed else ACTIVATION
    if request.contrast is not None and side is ExplainedImage.QUERY:
        return CONTRAST
    return SIGNED_OCCLUSION if request.occlusion.signed else OCCLUSION
