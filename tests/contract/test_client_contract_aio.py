"""The asynchronous SDK against a service over a real connection."""

from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from support.calibrations import calibration
from support.fake_explanations import VALUES
from support.fake_service import FakeService
from support.uploads import picture
from xmirad.client import Feedback, StreamedSearch, Upload
from xmirad.client.aio import AioClient
from xmirad.client.search_types import StreamedOutcome
from xmirad.client.types import PartialIndex
from xmirad.errors import (
    BackendUnavailableError,
    ExplanationNotFoundError,
    InvalidImageError,
    InvalidRequestError,
    ItemNotFoundError,
)
from xmirad.types import EncodedImage, ExplanationState


@pytest.fixture
async def client(service: FakeService) -> AsyncIterator[AioClient]:
    async with AioClient(service.address, timeout_seconds=3) as client:
        yield client


async def gathered(outcomes: AsyncIterator[StreamedOutcome], into: list[StreamedOutcome]) -> None:
    """Keep what comes before an error."""
    async for outcome in outcomes:
        into.append(outcome)  # noqa: PERF401


@pytest.fixture
async def items(client: AioClient) -> list[str]:
    await client.create_archive("covidx")
    receipts = [await client.create_item("covidx", Upload(picture(n), external_id=f"x{n}")) for n in range(6)]
    return [receipt.item for receipt in receipts]


async def test_a_service_is_waited_for_and_says_what_it_is(client: AioClient) -> None:
    await client.wait_until_ready(5)

    assert (await client.server_info()).vector_store == "edge"
    assert [model.display_name for model in await client.list_models()] == ["fake"]
    assert (await client.get_model("fake")).card == "# Fake"


async def test_nothing_answers_where_nothing_listens() -> None:
    async with AioClient("127.0.0.1:1", timeout_seconds=1) as client:
        with pytest.raises(BackendUnavailableError, match="xmirad up"):
            await client.wait_until_ready(0.3)


async def test_items_are_read_searched_and_deleted(client: AioClient, items: list[str]) -> None:
    listed = [item.name async for item in client.list_items("covidx")]
    found = await client.search("covidx", items[0], top_k=2, explain_top=1)
    fetched = await client.batch_get_items("covidx", items[:2])
    await client.delete_item(items[5])

    assert listed == sorted(items)
    assert found.results[0].item == items[0]
    assert [item.name for item in fetched] == items[:2]
    assert [archive.item_count async for archive in client.list_archives()] == [5]
    with pytest.raises(ItemNotFoundError):
        await client.get_item(items[5])


async def test_uploads_of_either_kind_of_iterable_are_answered(client: AioClient) -> None:
    await client.create_archive("covidx")
    uploads = [Upload(picture(n), correlation_id=str(n), external_id=str(n)) for n in range(20)]
    broken = Upload(EncodedImage(b"bad", "image/png"), correlation_id="bad")

    async def later() -> AsyncIterator[Upload]:
        for upload in uploads:
            yield upload

    first = [outcome async for outcome in client.upload("covidx", [*uploads, broken], in_flight=3)]
    again = [outcome async for outcome in client.upload("covidx", later(), in_flight=3)]

    assert {outcome.correlation_id for outcome in first if outcome.receipt} == {str(n) for n in range(20)}
    assert [type(outcome.error) for outcome in first if outcome.error] == [InvalidImageError]
    assert len(again) == 20


async def test_a_broken_stream_says_what_was_not_answered(
    service: FakeService, client: AioClient, items: list[str]
) -> None:
    service.switches.break_after = 2
    searches = [StreamedSearch(str(n), items[n]) for n in range(6)]
    outcomes: list[StreamedOutcome] = []

    with pytest.raises(BackendUnavailableError) as caught:
        await gathered(client.stream_search("covidx", searches), outcomes)

    assert sorted(outcome.correlation_id for outcome in outcomes) == [str(n) for n in range(6)]
    assert sum(outcome.response is not None for outcome in outcomes) == 2
    assert caught.value.metadata["unanswered"] == "4"


async def test_what_the_iterable_raises_comes_after_the_answers(client: AioClient, items: list[str]) -> None:
    def searches() -> AsyncIterator[StreamedSearch]:
        async def generate() -> AsyncIterator[StreamedSearch]:
            yield StreamedSearch("0", items[0])
            raise OSError("the disk is gone")

        return generate()

    outcomes: list[StreamedOutcome] = []
    with pytest.raises(OSError, match="disk"):
        await gathered(client.stream_search("covidx", searches()), outcomes)

    assert [outcome.correlation_id for outcome in outcomes] == ["0"]


async def test_a_silent_service_is_given_up(service: FakeService, items: list[str]) -> None:
    service.switches.silent = True
    async with AioClient(service.address, timeout_seconds=0.3) as client:
        with pytest.raises(TimeoutError, match="silent"):
            _ = [each async for each in client.stream_search("covidx", [StreamedSearch("0", items[0])])]


async def test_no_window_is_too_small(client: AioClient) -> None:
    with pytest.raises(InvalidRequestError, match="in_flight"):
        client.upload("covidx", [], in_flight=0)


async def test_an_explanation_is_watched_until_its_fidelity_is_there(client: AioClient, items: list[str]) -> None:
    seen = [each async for each in client.explain(items[0], items[1])]

    assert [each.state for each in seen][-1] is ExplanationState.SUCCEEDED
    np.testing.assert_array_equal(seen[-1].maps[0].values, VALUES)
    assert seen[-1].is_settled
    await client.delete_explanation(seen[-1].name)
    with pytest.raises(ExplanationNotFoundError):
        await client.explanation(seen[-1].name)


async def test_a_broken_watch_is_taken_up_where_it_was(
    service: FakeService, client: AioClient, items: list[str]
) -> None:
    created = await client.create_explanation(items[0], items[1])
    service.switches.break_after = 2

    tokens = [update.token async for update in client.watch_explanation(created.name)]

    assert tokens == ["0", "1", "1", "2", "2", "3", "3", "4"]
    assert service.switches.tokens == ["", "1", "2", "3"]


async def test_a_watch_gives_up_when_the_service_stays_away(service: FakeService, items: list[str]) -> None:
    service.switches.failures["WatchExplanation"] = [grpc.StatusCode.UNAVAILABLE] * 100
    async with AioClient(service.address, timeout_seconds=0.3) as client:
        created = await client.create_explanation(items[0], items[1])
        with pytest.raises(BackendUnavailableError):
            _ = [update async for update in client.watch_explanation(created.name)]


async def test_explanations_are_listed_cancelled_and_warmed(client: AioClient, items: list[str]) -> None:
    created = await client.create_explanations(items[0], items[1:5])
    cancelled = await client.cancel_explanation(created[0].name)
    figures = await client.warm("covidx", max_items=3, dry_run=True)

    assert sorted([each.name async for each in client.explanations(archive="covidx")]) == sorted(
        each.name for each in created
    )
    assert cancelled.state is ExplanationState.CANCELLED
    assert (figures.selected_items, figures.queued_tasks) == (3, 0)
    assert (await client.cancel_warming("covidx", max_items=3)).cancelled_images == 2


async def test_a_rebuild_says_how_far_it_is(client: AioClient, items: list[str]) -> None:
    info = await client.rebuild_archive("covidx")
    assert (info.rebuilding, info.optimizing) == (PartialIndex(0, len(items)), True)
    assert (await client.get_archive("covidx")).rebuilding is None


async def test_evidence_is_calibrated_and_asked_for(client: AioClient, items: list[str]) -> None:
    fitted = calibration()
    assert (await client.set_evidence_calibration("covidx", fitted)).evidence_calibration == fitted
    response = await client.search("covidx", Feedback(items[0], (items[1],)), evidence=True)
    assert response.evidence is not None
