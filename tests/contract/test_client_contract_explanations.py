"""Explaining through the SDK against a service over a real connection."""

from datetime import UTC, datetime

import grpc
import numpy as np
import pytest

from support.fake_archives import DIGEST, embedding_of
from support.fake_explanations import GEOMETRY, VALUES, WINDOWS
from support.fake_service import FakeService
from support.uploads import picture
from xmirad.api.vocabulary import ExplanationPriority, MapQuality
from xmirad.client import ActivationMethod, AttentionMethod, Client, OcclusionMethod
from xmirad.client.explanation_types import MapAreas, MapFidelity, Method
from xmirad.errors import (
    BackendUnavailableError,
    ExplanationNotFoundError,
    InvalidRequestError,
    ItemNotFoundError,
)
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.geometry import Point
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState

MISSING = "archives/covidx/items/0f8fad5b-d9cb-569f-a165-70867728950e"
NOWHERE = "explanations/" + "0" * 64


def test_a_created_explanation_says_everything_that_is_known(client: Client, names: list[str]) -> None:
    created = client.create_explanation(picture(9), names[1], priority=ExplanationPriority.BACKGROUND)

    assert created.state is ExplanationState.QUEUED
    assert created.create_time == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert (created.finish_time, created.error, created.maps) == (None, None, ())
    assert (created.windows_done, created.windows_total, created.attempt) == (0, WINDOWS, 1)
    assert (created.item, created.query_item) == (names[1], "")
    assert created.method == OcclusionMethod()
    assert created.explained_image is ExplainedImage.RESULT
    assert created.model == f"models/{DIGEST}"
    assert not created.is_done


def test_the_same_is_asked_by_image_by_item_and_by_vector(client: Client, names: list[str]) -> None:
    for source in (picture(3), names[3], embedding_of(picture(3))):
        assert client.create_explanation(source, names[1]).item == names[1]
    assert client.create_explanation(names[3], names[1]).query_item == names[3]


@pytest.mark.parametrize(
    "method",
    [
        OcclusionMethod(window=32, stride=8, fill=Fill.BLUR, codec=Codec.INT16, signed=True),
        AttentionMethod(form=AttentionForm.TRIPLET, positive_items=("a",), negative_items=("b",)),
        ActivationMethod(point=Point(3.5, 7.25), signed=True),
        ActivationMethod(),
    ],
)
def test_every_parameter_of_a_method_arrives_and_comes_back(client: Client, names: list[str], method: Method) -> None:
    created = client.create_explanation(
        names[0], names[1], method=method, explained_image=ExplainedImage.BOTH, contrast_item=names[2]
    )

    assert created.method == method
    assert created.explained_image is ExplainedImage.BOTH
    assert created.contrast_item == names[2]


def test_watching_shows_every_state_the_preview_the_map_and_its_fidelity(client: Client, names: list[str]) -> None:
    seen = list(client.explain(names[0], names[1], include_overlay=True))

    assert [each.state for each in seen] == [
        ExplanationState.QUEUED,
        ExplanationState.QUEUED,
        ExplanationState.RUNNING,
        ExplanationState.RUNNING,
        ExplanationState.SUCCEEDED,
        ExplanationState.SUCCEEDED,
    ]
    [preview], [exact], [assessed] = (each.maps for each in seen[3:])
    assert (preview.quality, preview.is_exact, preview.estimated_error) == (MapQuality.APPROXIMATE, False, 0.25)
    assert (preview.codec, preview.fidelity) == (None, None)
    assert (exact.quality, exact.is_exact, exact.estimated_error) == (MapQuality.EXACT, True, None)
    assert (exact.codec, exact.error_five_sigma, exact.preview_errors) == (Codec.INT8, 0.005, (0.2, 0.1))
    assert (exact.signed, exact.geometry, exact.overlay_png) == (True, GEOMETRY, b"\x89PNG")
    assert assessed.fidelity == MapFidelity(
        0.5, (0.1, 0.2), Verdict.BETTER_THAN_CHANCE, MapAreas(0.75, 0.25), p_value=1 / 3
    )
    np.testing.assert_array_equal(assessed.values, VALUES)
    assert seen[-1].is_settled
    assert not seen[-2].is_settled
    assert [each.name for each in client.explain(names[0], names[1])] == [seen[0].name]


def test_a_broken_watch_is_taken_up_where_it_was(service: FakeService, client: Client, names: list[str]) -> None:
    created = client.create_explanation(names[0], names[1])
    service.switches.break_after = 2

    tokens = [update.token for update in client.watch_explanation(created.name)]

    assert tokens == ["0", "1", "1", "2", "2", "3", "3", "4"]
    assert service.switches.tokens == ["", "1", "2", "3"]


def test_a_watch_begins_behind_the_token_it_is_given(service: FakeService, client: Client, names: list[str]) -> None:
    created = client.create_explanation(names[0], names[1])

    assert [update.token for update in client.watch_explanation(created.name, "3")] == ["3", "4"]
    assert service.switches.tokens == ["3"]


def test_a_watch_gives_up_when_the_service_stays_away(service: FakeService, names: list[str]) -> None:
    service.switches.failures["WatchExplanation"] = [grpc.StatusCode.UNAVAILABLE] * 100
    with Client(service.address, timeout_seconds=0.3) as client:
        created = client.create_explanation(names[0], names[1])
        with pytest.raises(BackendUnavailableError):
            list(client.watch_explanation(created.name))


def test_a_watch_of_nothing_is_not_repeated(service: FakeService, client: Client) -> None:
    with pytest.raises(ExplanationNotFoundError):
        next(client.watch_explanation(NOWHERE))

    assert service.switches.calls["WatchExplanation"] == 1


def test_closing_a_watch_ends_its_stream(service: FakeService, client: Client, names: list[str]) -> None:
    updates = client.watch_explanation(client.create_explanation(names[0], names[1]).name)
    next(updates)

    updates.close()  # type: ignore[attr-defined]  # a generator is more than an iterator

    assert service.switches.ended.wait(5)


def test_results_of_one_query_are_explained_together(client: Client, names: list[str]) -> None:
    created = client.create_explanations(picture(9), names[:5], explained_image=ExplainedImage.QUERY)

    assert [each.item for each in created] == names[:5]
    assert sorted(each.name for each in client.explanations(archive="covidx")) == sorted(each.name for each in created)
    assert list(client.explanations(archive="other")) == []


def test_a_cancelled_explanation_that_is_asked_for_again_is_the_next_attempt(client: Client, names: list[str]) -> None:
    created = client.create_explanation(names[0], names[1])

    cancelled = client.cancel_explanation(created.name)

    assert cancelled.state is ExplanationState.CANCELLED
    assert (cancelled.is_done, cancelled.is_settled) == (True, True)
    assert client.create_explanation(names[0], names[1]).attempt == 2
    client.delete_explanation(created.name)
    with pytest.raises(ExplanationNotFoundError):
        client.explanation(created.name)


def test_bad_requests_raise_what_the_service_raised(client: Client, names: list[str]) -> None:
    with pytest.raises(ItemNotFoundError):
        client.create_explanation(names[0], MISSING)
    with pytest.raises(InvalidRequestError) as caught:
        client.create_explanation(names[0], names[1], method=OcclusionMethod(fill=Fill.IMAGE))
    assert caught.value.field == "options.occlusion.fill"
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        client.create_explanation(names[0], names[1], method=OcclusionMethod(stride=1 << 40))


def test_warming_says_what_it_takes_before_it_begins(client: Client, names: list[str]) -> None:
    asked = client.warm("covidx", max_items=3, dry_run=True)
    begun = client.warm("covidx", max_items=3)

    assert (asked.selected_items, asked.complete_items, asked.missing_windows) == (3, 1, 2 * WINDOWS)
    assert (asked.estimated_seconds, asked.estimated_bytes, asked.budget_bytes) == (1.5, 1 << 20, 1 << 30)
    assert (asked.queued_tasks, begun.queued_tasks, asked.given_up_items) == (0, 7, 1)
    assert client.cancel_warming("covidx", max_items=3).cancelled_images == 2
