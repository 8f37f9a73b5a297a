"""The sweeper finds what was left lying, whatever was lost."""

from typing import Any

import pytest

from support.explaining import CHUNKS, DAY, World
from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ImageKind, ImageReference
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState


def state(world: World, explanation: str) -> ExplanationState:
    return world.watcher.snapshot(explanation).state


def finished(world: World, **changes: Any) -> str:  # noqa: ANN401
    explanation = world.create(**changes)
    world.work()
    world.queue.clear()
    for _ in range(2):
        world.completion.assess(explanation, attempt=1)
    return explanation


@pytest.mark.parametrize("done", range(CHUNKS + 1))
def test_every_explanation_completes_after_board_and_queue_are_flushed(done: int) -> None:
    world = World()
    explanations = [
        world.create(),
        world.create(query=world.item(3)),
        world.create(query=world.query(4), explained_image=ExplainedImage.BOTH),
    ]
    world.work(tasks=done)
    world.board.clear()
    world.queue.clear()
    assert world.sweeper.sweep()
    world.work()
    assert {state(world, each) for each in explanations} == {ExplanationState.SUCCEEDED}
    assert len(world.computed) == len(set(world.computed)) == 2 * CHUNKS


def test_an_explanation_whose_creation_was_cut_short_is_taken_up() -> None:
    world = World()
    request = world.request()
    world.store.put_request(request, queue=QueueName.BACKGROUND, attempt=1)
    world.sweeper.sweep()
    world.work()
    assert state(world, request.explanation) is ExplanationState.SUCCEEDED


def test_a_result_that_was_complete_but_not_written_is_written() -> None:
    world = World()
    explanation = world.create()
    for chunk in range(CHUNKS):
        world.put(world.entry(explanation), chunk)
    world.board.clear()
    world.sweeper.sweep()
    assert state(world, explanation) is ExplanationState.SUCCEEDED


def test_a_retried_explanation_is_swept_although_its_first_attempt_was_settled() -> None:
    world = World()
    explanation = world.create()
    world.completion.cancel(explanation)
    world.sweeper.sweep()
    world.create()
    world.board.clear()
    world.queue.clear()
    world.sweeper.sweep()
    world.work()
    assert state(world, explanation) is ExplanationState.SUCCEEDED


def test_a_full_queue_does_not_stop_the_sweep() -> None:
    world = World()
    first = world.create()
    second = world.create(result=world.item(5))
    world.queue.clear()
    world.queue.max_waiting = CHUNKS
    for _ in range(2):
        world.sweeper.sweep()
        world.work()
    assert {state(world, first), state(world, second)} == {ExplanationState.SUCCEEDED}


def test_assessments_that_were_lost_are_queued_again_for_an_hour() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.queue.clear()
    world.sweeper.sweep()
    assert world.queue.assessments == [(explanation, 1)]
    world.queue.clear()
    world.now += 3_601.0
    world.sweeper.sweep()
    assert world.queue.assessments == []


def test_maps_that_cannot_be_assessed_are_not_queued_again() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.queue.clear()
    world.completion.leave_unassessed(explanation, attempt=1, reason="WORKER_LOST")
    world.sweeper.sweep()
    assert world.queue.assessments == []


def test_finished_explanations_expire_after_their_time() -> None:
    world = World()
    explanation = finished(world)
    world.now += 7 * DAY - 1
    world.sweeper.sweep()
    assert state(world, explanation) is ExplanationState.SUCCEEDED
    world.now += 1
    world.sweeper.sweep()
    with pytest.raises(ExplanationNotFoundError):
        world.store.asked(explanation)
    assert not [key for key in world.blobs.data if key.startswith("explanations/")]


def test_queries_go_after_a_day_with_their_explanations_and_masked_embeddings() -> None:
    world = World()
    explanation = finished(world, query=world.query(1), explained_image=ExplainedImage.QUERY)
    assert any("/occlusion/" in key for key in world.blobs.data if key.startswith("queries/"))
    world.now += DAY
    world.sweeper.sweep()
    with pytest.raises(ExplanationNotFoundError):
        world.store.asked(explanation)
    assert not [key for key in world.blobs.data if key.startswith("queries/")]


def test_a_query_that_was_stored_for_an_explanation_that_never_came_goes() -> None:
    world = World()
    world.query(1)
    world.sweeper.sweep()
    assert world.all_queries()
    world.now += 600.0
    world.sweeper.sweep()
    assert not world.all_queries()


def test_what_a_deletion_cut_short_has_left_goes() -> None:
    world = World()
    explanation = finished(world)
    world.forgetter.delete_all([explanation])
    assert [key for key in world.blobs.data if key.startswith("explanations/")]
    world.sweeper.sweep()
    assert not [key for key in world.blobs.data if key.startswith("explanations/")]


def test_what_ended_while_the_board_was_out_of_reach_waits_for_nothing_after_a_sweep() -> None:
    world = World()
    explanation = world.create()
    world.board.is_down = True
    world.completion.cancel(explanation)
    world.board.is_down = False
    world.sweeper.sweep()
    assert not world.cache.is_wanted(world.entry(explanation))


def test_one_sweeper_at_a_time() -> None:
    world = World()
    assert world.sweeper.sweep()
    world.board.clear()
    assert not world.new_sweeper("two").sweep()


def test_a_sweep_without_a_queue_says_so() -> None:
    world = World()
    world.queue.is_down = True
    with pytest.raises(BackendUnavailableError):
        world.sweeper.sweep()


def test_deleting_the_last_explanation_of_a_query_deletes_the_query() -> None:
    world = World()
    first = finished(world, query=world.query(1))
    second = finished(world, query=world.query(1), result=world.item(5))
    world.forgetter.delete(first)
    assert world.all_queries()
    world.forgetter.delete(second)
    assert not world.all_queries()


def test_deletion_stops_the_work_and_needs_no_board() -> None:
    world = World()
    explanation = world.create()
    world.work(tasks=1)
    entry = world.entry(explanation)
    world.board.is_down = True
    world.forgetter.delete(explanation)
    world.board.is_down = False
    world.work()
    assert world.all_explanations() == []
    assert not world.cache.is_wanted(entry)
    assert len(world.computed) == 1


@pytest.mark.parametrize("part", ["query", "result", "contrast"])
def test_deleting_an_item_deletes_the_explanations_it_plays_a_part_in(part: str) -> None:
    world = World()
    meant = finished(world, **{part: world.item(9)})
    other = finished(world, result=world.item(5))
    assert world.forgetter.delete_of_items("another", ["item-9"]) == 0
    assert world.forgetter.delete_of_items(world.archive.creation, ["item-9"]) == 1
    with pytest.raises(ExplanationNotFoundError):
        world.store.asked(meant)
    assert state(world, other) is ExplanationState.SUCCEEDED


def test_a_query_that_is_an_item_stays_with_its_item() -> None:
    world = World()
    world.forgetter.delete(finished(world))
    reference = world.item(1)
    assert reference == ImageReference(ImageKind.ITEM, reference.digest, "item-1", reference.geometry)
    assert world.images.embedding(reference.digest, "a" * 64, is_query=False).shape == (8,)
    assert [key for key in world.blobs.data if key.startswith("occlusion/")]
