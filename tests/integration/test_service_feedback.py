"""Feedback over the wire from the real service, against what can be computed from its vectors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.live_service import live_service
from support.pictures import png
from support.raw_service import RawService, refusal
from support.sample_items import COPY_OF, SAMPLES, samples, store_samples
from support.sample_world import ARCHIVE, World, sample_world
from support.valkey import valkey_server
from xmirad.api.v1 import resources_pb2
from xmirad.api.v1 import retrieval_service_pb2 as pb
from xmirad.client import Feedback, StreamedSearch
from xmirad.client.search_types import PlainSource
from xmirad.errors import ExplanationNotFoundError, InvalidRequestError, ItemNotFoundError, XmiradError
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState, Float32Array, Patient, PatientPolicy

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with sample_world(tmp_path_factory.mktemp("feedback")) as made:
        yield made


def feedback_vector(world: World, query: int, positives: list[int], negatives: list[int]) -> Float32Array:
    vectors = {number: each.astype(np.float64) for number, each in world.slow.embeddings.items()}
    moved = vectors[query]
    if positives:
        moved = moved + np.mean([vectors[each] for each in positives], axis=0)
    if negatives:
        moved = moved - 0.5 * np.mean([vectors[each] for each in negatives], axis=0)
    return moved.astype(np.float32)


@pytest.mark.parametrize(("positives", "negatives"), [([5], []), ([], [7]), ([5, 9], [7, 8, 2])])
def test_feedback_ranks_by_the_moved_query_without_what_was_judged(
    world: World, positives: list[int], negatives: list[int]
) -> None:
    moved = feedback_vector(world, 4, positives, negatives)
    ranking = world.slow.ranking(moved, keep=lambda each: each.number not in {*positives, *negatives})
    liked, disliked = ([world.names[each] for each in some] for some in (positives, negatives))
    sources: dict[str, PlainSource] = {"item": world.names[4], "image": png(4), "vector": world.slow.embeddings[4]}
    searches = [
        StreamedSearch(name, Feedback(source, tuple(liked), tuple(disliked)), top_k=SAMPLES)
        for name, source in sources.items()
    ]
    for outcome in world.client.stream_search(ARCHIVE, searches):
        assert outcome.response is not None, outcome.error
        found = outcome.response
        assert [each.item for each in found.results] == [name for name, _ in ranking]
        scores = [score for _, score in ranking]
        assert [each.score for each in found.results] == pytest.approx(scores, abs=1e-5)
        assert found.searched_items == SAMPLES - len(positives) - len(negatives)
        single = world.client.search(ARCHIVE, searches[0].source, top_k=SAMPLES)
        assert [each.item for each in single.results] == [each.item for each in found.results]


def test_feedback_knows_the_querys_item_and_patient(world: World) -> None:
    source = Feedback(world.names[6], (world.names[5],))
    patient = Patient("P1", "clinic")
    found = world.client.search(
        ARCHIVE, source, top_k=SAMPLES, patient_policy=PatientPolicy.EXCLUDE, exclude_query_item=True, evidence=True
    )
    kept = {world.names[each.number] for each in samples() if each.patient != patient and each.number != 5}
    assert {each.item for each in found.results} == kept
    by_image = world.client.search(ARCHIVE, Feedback(png(3), (world.names[5],)), top_k=SAMPLES, exclude_query_item=True)
    assert not {each.item for each in by_image.results} & {world.names[each] for each in (3, 5, *COPY_OF)}


@pytest.mark.parametrize(
    ("feedback", "field", "kind"),
    [
        ({"item": "{4}"}, "feedback", InvalidRequestError),
        ({"positive_items": ["{5}"]}, "feedback", InvalidRequestError),
        ({"item": "{4}", "positive_items": ["{5}"], "negative_items": ["{5}"]}, "feedback.negative_items", None),
        ({"item": "{4}", "negative_items": ["{4}"]}, "feedback.negative_items", None),
        ({"item": "{4}", "positive_items": [f"archives/other/items/{NOBODY}"]}, "feedback.positive_items[0]", None),
        ({"item": "{4}", "positive_items": ["{5}"] * 101}, "feedback.positive_items", None),
        ({"item": f"archives/samples/items/{NOBODY}", "positive_items": ["{5}"]}, "item", ItemNotFoundError),
        (
            {"item": "{4}", "positive_items": [f"archives/samples/items/{NOBODY}"]},
            "feedback.positive_items",
            ItemNotFoundError,
        ),
    ],
)
def test_feedback_that_makes_no_sense_is_refused(
    world: World, feedback: dict[str, Any], field: str, kind: type[XmiradError] | None
) -> None:
    def named(value: Any) -> Any:  # noqa: ANN401 - a name or several
        if isinstance(value, list):
            return [named(each) for each in value]
        for number in (4, 5):
            value = value.replace(f"{{{number}}}", world.names[number])
        return value

    message = resources_pb2.Feedback(**{name: named(value) for name, value in feedback.items()})
    request = pb.SearchRequest(archive=f"archives/{ARCHIVE}", feedback=message, top_k=3)
    with RawService(world.service.address) as raw:
        error = refusal(raw.retrieval.Search, request).domain_error
    assert isinstance(error, kind or InvalidRequestError)
    assert error.field == field


def test_a_deleted_item_is_no_feedback(world: World) -> None:
    world.client.create_archive("shrinking")
    items = store_samples(world.client, "shrinking")
    world.client.delete_item(items[5])
    with pytest.raises(ItemNotFoundError) as caught:
        world.client.search("shrinking", Feedback(items[4], (items[5],)))
    assert caught.value.field == "feedback.positive_items"


def test_what_feedback_found_is_explained_on_the_result_only(world: World) -> None:
    source = Feedback(world.names[4], (world.names[5],), (world.names[7],))
    found = world.client.search(ARCHIVE, source, top_k=1, explain_top=1)
    vector = feedback_vector(world, 4, [5], [7])
    assert found.results[0].item == world.slow.ranking(vector, keep=lambda each: each.number not in {5, 7})[0][0]
    assert found.explanation_error is not None
    assert found.explanation_error.reason == "BACKEND_UNAVAILABLE"  # without a queue nobody computes the map
    for image in (ExplainedImage.QUERY, ExplainedImage.BOTH):
        with pytest.raises(InvalidRequestError) as caught:
            world.client.create_explanation(source, found.results[0].item, explained_image=image)
        assert caught.value.field == "options.explained_image"


def test_what_explains_feedback_goes_with_every_item_that_it_was_made_of(tmp_path: Path) -> None:
    with (
        valkey_server(tmp_path / "queue") as queue,
        live_service(tmp_path / "home", XMIRAD_QUEUE__URL=queue.url) as service,
        service.start() as client,
    ):
        client.create_archive(ARCHIVE)
        items = store_samples(client, ARCHIVE)
        for query, liked, disliked, deleted in ((4, 5, 7, 5), (4, 6, 7, 7), (4, 6, 8, 4)):
            source = Feedback(items[query], (items[liked],), (items[disliked],))
            made = client.create_explanation(source, items[1])
            assert client.explanation(made.name).state is ExplanationState.QUEUED
            client.delete_item(items[deleted])
            with pytest.raises(ExplanationNotFoundError):
                client.explanation(made.name)
