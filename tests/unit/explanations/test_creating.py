"""Asking for explanations: once, twice, a thousand times, with and without a queue."""

from typing import Any

import pytest

from support.explaining import CHUNKS, World
from xmirad.errors import BackendUnavailableError, InvalidRequestError, QueueFullError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ActivationParameters, AttentionParameters, MethodName
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState


def stored(world: World) -> list[str]:
    return [key for key in world.blobs.data if key.startswith("explanations/")]


def test_asking_a_thousand_times_is_one_job() -> None:
    world = World()
    request = world.request()
    created = [world.creator.create(request, queue=QueueName.INTERACTIVE) for _ in range(1_000)]
    assert {(asked.request.explanation, asked.attempt) for asked in created} == {(request.explanation, 1)}
    assert len(world.queue.tasks) == CHUNKS
    world.work()
    assert len(world.computed) == CHUNKS
    assert world.store.asked(world.create()).attempt == 1
    assert not world.queue.tasks


def test_a_full_hit_is_answered_at_once_and_without_a_queue() -> None:
    world = World()
    world.create()
    world.work()
    world.board.is_down = world.queue.is_down = True
    explanation = world.create(query=world.item(3))
    assert world.watcher.snapshot(explanation).state is ExplanationState.SUCCEEDED
    assert len(world.computed) == CHUNKS


def test_hits_and_misses_are_counted_once_an_explanation() -> None:
    world = World()
    world.create()
    world.create()
    world.work()
    world.create(query=world.item(3))
    assert (world.board.counted["cache_misses"], world.board.counted["cache_hits"]) == (1, 1)


@pytest.mark.parametrize("number", [CHUNKS - 1, 0])
def test_a_full_queue_leaves_nothing_behind(number: int) -> None:
    world = World(max_waiting=number)
    with pytest.raises(QueueFullError):
        world.create()
    assert stored(world) == []
    assert world.waiting() == set()


def test_what_waits_already_needs_no_room_in_a_full_queue() -> None:
    world = World(max_waiting=CHUNKS)
    explanation = world.create()
    assert world.create() == explanation
    assert world.create(query=world.item(3)) != explanation  # of the same image
    world.work()
    assert len(world.computed) == CHUNKS


def test_a_batch_that_shares_an_image_needs_room_for_it_once() -> None:
    world = World(max_waiting=CHUNKS)
    requests = [
        world.request(query=world.query(1), result=world.item(number), explained_image=ExplainedImage.QUERY)
        for number in range(2, 12)
    ]
    assert len(world.creator.create_all(requests, queue=QueueName.INTERACTIVE)) == 10


def test_what_is_computed_ahead_takes_no_room_from_readers() -> None:
    world = World(max_waiting=CHUNKS)
    world.create(result=world.item(7), queue=QueueName.BACKGROUND)
    world.create()
    assert len(world.queue.tasks) == 2 * CHUNKS


def test_a_queue_out_of_reach_leaves_nothing_behind() -> None:
    world = World()
    world.board.is_down = world.queue.is_down = True
    with pytest.raises(BackendUnavailableError):
        world.create()
    assert stored(world) == []
    world.board.is_down = world.queue.is_down = False
    world.create()
    assert world.work() == CHUNKS


def test_a_retry_that_the_queue_has_no_room_for_leaves_the_failed_attempt() -> None:
    world = World()
    explanation = world.create()
    world.completion.cancel(explanation)
    world.queue.clear()
    world.queue.max_waiting = 0
    with pytest.raises(QueueFullError):
        world.create()
    assert world.store.asked(explanation).attempt == 1
    assert world.watcher.snapshot(explanation).state is ExplanationState.CANCELLED


def test_a_cancelled_explanation_is_tried_again_under_its_id() -> None:
    world = World()
    explanation = world.create()
    world.completion.cancel(explanation)
    world.now += 1.0
    assert world.create() == explanation
    assert world.store.asked(explanation).attempt == 2
    world.work()
    assert world.watcher.snapshot(explanation).state is ExplanationState.SUCCEEDED
    assert world.kinds(explanation).count("state") == 2


def test_a_reader_who_asks_for_what_waits_in_the_background_is_served_first() -> None:
    world = World()
    world.create(queue=QueueName.BACKGROUND)
    world.create(queue=QueueName.INTERACTIVE)
    assert sum(queue is QueueName.INTERACTIVE for queue, _, _ in world.queue.tasks) == CHUNKS


def test_many_results_on_the_query_side_take_one_pass() -> None:
    world = World()
    requests = [
        world.request(query=world.query(1), result=world.item(number), explained_image=ExplainedImage.QUERY)
        for number in range(2, 12)
    ]
    created = world.creator.create_all(requests, queue=QueueName.INTERACTIVE)
    world.work()
    assert len(world.computed) == CHUNKS
    states = {world.watcher.snapshot(asked.request.explanation).state for asked in created}
    assert (len(created), states) == (10, {ExplanationState.SUCCEEDED})


def test_either_all_results_are_taken_on_or_none() -> None:
    world = World(max_waiting=3 * CHUNKS)
    earlier = world.create(result=world.item(2))
    requests = [world.request(result=world.item(number)) for number in range(2, 8)]
    with pytest.raises(QueueFullError):
        world.creator.create_all(requests, queue=QueueName.INTERACTIVE)
    assert world.all_explanations() == [earlier]
    assert world.waiting() == {world.entry(earlier).location}


def test_one_bad_request_refuses_them_all() -> None:
    world = World()
    requests = [world.request(), world.request(contrast=world.item(2))]
    with pytest.raises(InvalidRequestError):
        world.creator.create_all(requests, queue=QueueName.INTERACTIVE)
    assert stored(world) == []


@pytest.mark.parametrize("form", [AttentionForm.SIAMESE_POSITIVE, AttentionForm.SIAMESE_NEGATIVE])
@pytest.mark.parametrize("side", [ExplainedImage.QUERY, ExplainedImage.BOTH])
def test_attention_is_answered_at_once(form: AttentionForm, side: ExplainedImage) -> None:
    world = World()
    given: dict[str, Any] = {
        "method": MethodName.ATTENTION,
        "attention": AttentionParameters(form=form),
        "explained_image": side,
    }
    snapshot = world.watcher.snapshot(world.create(**given))
    assert snapshot.state is ExplanationState.SUCCEEDED, snapshot.error
    assert snapshot.windows_total == 0
    assert len(snapshot.maps) == len(side.sides)


@pytest.mark.parametrize("point", [None, (30.0, 31.5)])
def test_activation_is_answered_at_once(point: tuple[float, float] | None) -> None:
    world = World()
    activation = ActivationParameters(point=point, signed=True)
    given: dict[str, Any] = {"method": MethodName.ACTIVATION, "activation": activation, "query": world.query(1)}
    snapshot = world.watcher.snapshot(world.create(**given))
    assert snapshot.state is ExplanationState.SUCCEEDED, snapshot.error
    assert snapshot.maps[0].saliency.signed


def test_an_image_can_be_explained_by_itself() -> None:
    world = World()
    explanation = world.create(query=world.item(2), result=world.item(2), explained_image=ExplainedImage.BOTH)
    world.work()
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.state is ExplanationState.SUCCEEDED
    assert snapshot.maps[0].pixels() == snapshot.maps[1].pixels()
    assert len(world.computed) == CHUNKS


def test_a_contrast_map_keeps_its_sign() -> None:
    world = World()
    explanation = world.create(contrast=world.item(3), explained_image=ExplainedImage.QUERY)
    world.work()
    (kept,) = world.watcher.snapshot(explanation).maps
    assert kept.saliency.signed
    assert world.store.asked(explanation).request.occlusion.signed


def test_an_image_that_is_gone_fails_the_explanation_and_says_so() -> None:
    world = World()
    request = world.request(method=MethodName.ACTIVATION)
    for key in [key for key in world.blobs.data if key.startswith("inputs/")]:
        world.blobs.delete(key)
    asked = world.creator.create(request, queue=QueueName.INTERACTIVE)
    snapshot = world.watcher.snapshot(asked.request.explanation)
    assert snapshot.state is ExplanationState.FAILED
    assert snapshot.error is not None
    assert snapshot.error.reason == "ITEM_NOT_FOUND"
