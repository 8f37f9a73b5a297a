"""Tasks of explaining from messages, and explanations as messages."""

import numpy as np
import pytest

from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.api.v1 import resources_pb2
from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client import explanation_parsing
from xmirad.errors import InvalidRequestError, ModelNotFoundError, PayloadTooLargeError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference, MethodName, OcclusionParameters
from xmirad.explanations.results import Areas, Fidelity, KeptMap
from xmirad.explanations.store import Asked
from xmirad.explanations.watching import Snapshot
from xmirad.saliency.codec import Codec
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.method import ExplainedImage, SaliencyMap
from xmirad.types import ExplanationState, ImageGeometry
from xmirad_services.retrieval.servicers.explanation_messages import explanation_message
from xmirad_services.retrieval.servicers.explanation_tasks import task_of_many, task_of_one

UUIDS = [f"0f8fad5b-d9cb-569f-a165-7086772895{n:02}" for n in range(3)]
ITEMS = [f"archives/chest/items/{uuid}" for uuid in UUIDS]
GEOMETRY = ImageGeometry(512, 256, 448, 224, 112, 0, 224)


def request(**fields: object) -> pb.CreateExplanationRequest:
    whole = {"query": pb.ExplanationQuery(item=ITEMS[1]), "item": ITEMS[0], **fields}
    return pb.CreateExplanationRequest(**whole)  # type: ignore[arg-type]  # of each test's own types


def test_a_request_that_leaves_everything_open_has_the_defaults() -> None:
    task = task_of_one(request(), site="local", max_image_bytes=10)

    assert (task.archive, task.items, task.source) == ("chest", (UUIDS[0],), UUIDS[1])
    assert (task.method, task.occlusion) == (MethodName.OCCLUSION, OcclusionParameters())
    assert (task.explained_image, task.priority) == (ExplainedImage.RESULT, ExplanationPriority.INTERACTIVE)


def test_a_stride_of_zero_is_not_taken_for_the_default() -> None:
    options = pb.ExplanationOptions(occlusion=pb.OcclusionMethod(stride=0))

    assert task_of_one(request(options=options), site="local", max_image_bytes=10).occlusion.stride == 0


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"query": pb.ExplanationQuery()}, "query"),
        ({"query": pb.ExplanationQuery(item="archives/other/items/" + UUIDS[0])}, "query.item"),
        ({"query": pb.ExplanationQuery(embedding=resources_pb2.Embedding())}, "query.embedding"),
        ({"item": "chest"}, "item"),
        ({"priority": 9}, "priority"),
        ({"options": pb.ExplanationOptions(explained_image=9)}, "options.explained_image"),  # type: ignore[arg-type]
        ({"options": pb.ExplanationOptions(occlusion=pb.OcclusionMethod(fill=9))}, "options.occlusion.fill"),  # type: ignore[arg-type]
        ({"options": pb.ExplanationOptions(contrast_item="x")}, "options.contrast_item"),
        (
            {"options": pb.ExplanationOptions(attention=pb.AttentionMethod(negative_items=ITEMS))},
            "options.attention.negative_items",
        ),
        (
            {"options": pb.ExplanationOptions(attention=pb.AttentionMethod(positive_items=["x"]))},
            "options.attention.positive_items[0]",
        ),
    ],
)
def test_a_bad_field_is_named_by_its_path(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        task_of_one(request(**fields), site="local", max_image_bytes=10)
    assert caught.value.field == path


def test_an_image_that_is_too_long_is_refused_before_it_is_decoded() -> None:
    query = pb.ExplanationQuery(image=resources_pb2.Image(data=b"x" * 11))
    with pytest.raises(PayloadTooLargeError) as caught:
        task_of_one(request(query=query), site="local", max_image_bytes=10)
    assert caught.value.field == "query.image.data"


def test_items_of_a_batch_are_of_one_archive_and_not_too_many() -> None:
    batch = pb.BatchCreateExplanationsRequest(query=pb.ExplanationQuery(item=ITEMS[1]), items=ITEMS)

    assert task_of_many(batch, site="local", max_image_bytes=10, max_batch=3).items == tuple(UUIDS)
    with pytest.raises(InvalidRequestError, match="at most 2"):
        task_of_many(batch, site="local", max_image_bytes=10, max_batch=2)
    batch.items[2] = "archives/other/items/" + UUIDS[2]
    with pytest.raises(InvalidRequestError) as caught:
        task_of_many(batch, site="local", max_image_bytes=10, max_batch=3)
    assert caught.value.field == "items[2]"


def test_an_explanation_reads_in_the_sdk_as_it_was_written() -> None:
    values = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    fidelity = Fidelity(Areas(0.7, 0.2), (0.1, 0.2), Verdict.BETTER_THAN_CHANCE, Areas(0.6, 0.3))
    saliency = SaliencyMap(values, ExplainedImage.QUERY, signed=True, error_five_sigma=0.004, preview_errors=(0.3,))
    asked_with = ImageReference(ImageKind.QUERY, "cd" * 32, geometry=GEOMETRY)
    asked = Asked(
        ExplanationRequest(
            site="local", archive="chest", model="ab" * 32, preprocessing="p", size=4, query=asked_with,
            result=ImageReference(ImageKind.ITEM, "ef" * 32, UUIDS[0], GEOMETRY), explained_image=ExplainedImage.QUERY,
            contrast=ImageReference(ImageKind.ITEM, "01" * 32, UUIDS[1], GEOMETRY),
        ), 2, QueueName.BACKGROUND, 10.0,
    )  # fmt: skip
    kept = KeptMap(saliency, Codec.INT16, fidelity)
    snapshot = Snapshot(asked, ExplanationState.SUCCEEDED, 9, 9, (kept,), 20.0)

    read = explanation_parsing.explanation(explanation_message(snapshot, overlays=[b"PNG"]))

    assert (read.item, read.contrast_item, read.query_item, read.attempt) == (ITEMS[0], ITEMS[1], "", 2)
    assert (read.create_time.timestamp(), read.finish_time and read.finish_time.timestamp()) == (10.0, 20.0)
    [drawn] = read.maps
    np.testing.assert_array_equal(drawn.values, values)
    assert (drawn.codec, drawn.is_exact, drawn.geometry, drawn.overlay_png) == (Codec.INT16, True, GEOMETRY, b"PNG")
    assert "contrast item" in drawn.meaning
    assert drawn.fidelity is not None
    assert drawn.fidelity.published is not None
    assert drawn.fidelity.fidelity == pytest.approx(0.5)
    assert read.is_settled


def test_a_failed_explanation_carries_its_error() -> None:
    item = ImageReference(ImageKind.ITEM, "ef" * 32, UUIDS[0], GEOMETRY)
    asked = Asked(
        ExplanationRequest(
            site="local", archive="chest", model="m", preprocessing="p", size=4, query=item, result=item
        ), 1, QueueName.INTERACTIVE, 10.0,
    )  # fmt: skip
    error = ModelNotFoundError("the model is not here", metadata={"model": "m"})

    read = explanation_parsing.explanation(
        explanation_message(Snapshot(asked, ExplanationState.FAILED, 0, 9, finish_time=20.0, error=error))
    )

    assert isinstance(read.error, ModelNotFoundError)
    assert read.query_item == ITEMS[0]
    assert read.is_settled
