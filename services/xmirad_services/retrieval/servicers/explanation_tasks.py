"""Tasks of explaining from messages, with every field checked."""

from collections.abc import Sequence
from dataclasses import replace

from xmirad.api import checks
from xmirad.api.conversion import item_from_proto
from xmirad.api.enums import (
    ATTENTION_FORM,
    EXPLAINED_IMAGE,
    EXPLANATION_PRIORITY,
    OCCLUSION_CODEC,
    OCCLUSION_FILL,
)
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.errors import InvalidRequestError
from xmirad.explanations.records import ActivationParameters, MethodName, OcclusionParameters
from xmirad.ids import parse_item_name
from xmirad_services.retrieval.explanation_task import ExplanationTask
from xmirad_services.retrieval.servicers.sources import source_from_proto

MOST_COMPARED_ITEMS = 2  # of any form of ATTENTION


def task_of_one(request: pb.CreateExplanationRequest, *, site: str, max_image_bytes: int) -> ExplanationTask:
    """Read and check a request of a site for one pair.

    Raises:
        XmiradError: If a field is not allowed.
    """
    return _task(request, (request.item,), ("item",), site=site, max_image_bytes=max_image_bytes)


def task_of_many(
    request: pb.BatchCreateExplanationsRequest, *, site: str, max_image_bytes: int, max_batch: int
) -> ExplanationTask:
    """Read and check a request of a site for several pairs.

    Raises:
        XmiradError: If a field is not allowed.
    """
    checks.at_most(len(request.items), max_batch, field="items")
    if not request.items:
        raise InvalidRequestError("items must have at least 1 value", field="items", metadata={"min_count": "1"})
    fields = tuple(f"items[{at}]" for at in range(len(request.items)))
    return _task(request, tuple(request.items), fields, site=site, max_image_bytes=max_image_bytes)


def _task(
    request: pb.CreateExplanationRequest | pb.BatchCreateExplanationsRequest,
    names: Sequence[str],
    fields: tuple[str, ...],
    *,
    site: str,
    max_image_bytes: int,
) -> ExplanationTask:
    archive, _ = parse_item_name(names[0], field=fields[0])
    options = request.options
    contrast = options.contrast_item
    source, judged = source_from_proto(request.query, archive=archive, max_image_bytes=max_image_bytes, field="query")
    task = ExplanationTask(
        site=site,
        archive=archive,
        source=source,
        judged=judged,
        items=tuple(
            item_from_proto(name, archive=archive, field=field) for name, field in zip(names, fields, strict=True)
        ),
        fields=fields,
        explained_image=EXPLAINED_IMAGE.from_proto(options.explained_image, field="options.explained_image"),
        contrast=item_from_proto(contrast, archive=archive, field="options.contrast_item") if contrast else "",
        published_fidelity=options.published_fidelity,
        priority=EXPLANATION_PRIORITY.from_proto(request.priority, field="priority"),
    )
    return _with_method(task, options)


def _with_method(task: ExplanationTask, options: pb.ExplanationOptions) -> ExplanationTask:
    method = options.WhichOneof("method")
    if method == "attention":
        return _with_attention(task, options.attention)
    if method == "activation":
        activation = options.activation
        point = (activation.point.row, activation.point.column) if activation.HasField("point") else None
        parameters = ActivationParameters(point=point, signed=activation.signed)
        return replace(task, method=MethodName.ACTIVATION, activation=parameters)
    return replace(task, occlusion=_occlusion(options.occlusion))


def _with_attention(task: ExplanationTask, attention: pb.AttentionMethod) -> ExplanationTask:
    path = "options.attention"

    def items(names: Sequence[str], field: str) -> tuple[str, ...]:
        checks.at_most(len(names), MOST_COMPARED_ITEMS, field=field)
        return tuple(
            item_from_proto(name, archive=task.archive, field=f"{field}[{at}]") for at, name in enumerate(names)
        )

    return replace(
        task,
        method=MethodName.ATTENTION,
        form=ATTENTION_FORM.from_proto(attention.form, field=f"{path}.form"),
        positives=items(attention.positive_items, f"{path}.positive_items"),
        negatives=items(attention.negative_items, f"{path}.negative_items"),
    )


def _occlusion(message: pb.OcclusionMethod) -> OcclusionParameters:
    path = "options.occlusion"
    given = OcclusionParameters(
        fill=OCCLUSION_FILL.from_proto(message.fill, field=f"{path}.fill"),
        codec=OCCLUSION_CODEC.from_proto(message.codec, field=f"{path}.codec"),
        signed=message.signed,
    )
    return replace(
        given,
        window=message.window if message.HasField("window") else given.window,
        stride=message.stride if message.HasField("stride") else given.stride,
    )
