"""Explanations come forward with their cache entries, whoever fills them and in whatever order."""

import itertools

import numpy as np
import pytest

from support.catalogs import damage_embedding
from support.explaining import CHUNKS, World
from xmirad.errors import BackendUnavailableError, EmbeddingCorruptError, ModelNotFoundError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.scoring import entries_of
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState


def state(world: World, explanation: str) -> ExplanationState:
    return world.watcher.snapshot(explanation).state


def test_an_explanation_sharpens_level_by_level_and_is_then_assessed() -> None:
    world = World()
    explanation = world.create()
    assert world.work() == CHUNKS
    assert world.kinds(explanation) == ["preview", "preview", "preview", "state"]
    (kept,) = world.watcher.snapshot(explanation).maps
    assert kept.saliency.exact
    assert len(kept.saliency.preview_errors) == 3
    assert world.queue.assessments == [(explanation, 1)]


def test_a_preview_is_stored_before_it_is_announced_and_says_how_far_off_it_may_be() -> None:
    world = World()
    explanation = world.create()
    assert state(world, explanation) is ExplanationState.QUEUED
    world.work(tasks=2)
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.state is ExplanationState.RUNNING
    assert (snapshot.windows_done, snapshot.windows_total) == (25, 81)
    (kept,) = snapshot.maps
    assert not kept.saliency.exact
    assert kept.saliency.estimated_error is not None


@pytest.mark.parametrize("order", list(itertools.permutations(range(CHUNKS)))[::7])
def test_chunks_in_any_order_and_twice_make_one_result_with_the_same_bytes(order: tuple[int, ...]) -> None:
    straight, shuffled = World(), World()
    explanation = straight.create()
    straight.work()
    assert shuffled.create() == explanation
    entry = shuffled.entry(explanation)
    for chunk in (*order, *order):
        shuffled.put(entry, chunk)
        shuffled.completion.after_chunk(entry, chunk)
    expected, got = (world.watcher.snapshot(explanation).maps[0] for world in (straight, shuffled))
    assert got.pixels() == expected.pixels()
    assert shuffled.kinds(explanation).count("state") == 1


def test_two_workers_that_store_the_last_two_chunks_before_either_looks_make_one_result() -> None:
    world = World()
    explanation = world.create()
    entry = world.entry(explanation)
    world.work(tasks=CHUNKS - 2)
    for chunk in (CHUNKS - 2, CHUNKS - 1):
        world.put(entry, chunk)
    for chunk in (CHUNKS - 2, CHUNKS - 1):
        world.completion.after_chunk(entry, chunk)
    assert state(world, explanation) is ExplanationState.SUCCEEDED
    assert world.kinds(explanation).count("state") == 1
    assert world.cache.subscribers(entry) == []


def test_a_chunk_that_is_stored_while_an_explanation_is_created_is_not_overlooked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    first = world.create()
    entry = world.entry(first)
    world.work(tasks=CHUNKS - 1)
    fill = world.queue.fill

    def late(*arguments: object, **named: object) -> int:
        world.put(entry, CHUNKS - 1)  # its worker has looked for subscribers before
        return fill(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(world.queue, "fill", late)
    second = world.create(query=world.item(3))
    assert state(world, second) is ExplanationState.SUCCEEDED


def test_two_explanations_of_one_image_share_the_work_and_cancelling_one_leaves_the_other() -> None:
    world = World()
    first, second = world.create(), world.create(query=world.item(3))
    world.work(tasks=2)
    world.completion.cancel(first)
    world.work()
    assert len(world.computed) == CHUNKS
    assert state(world, first) is ExplanationState.CANCELLED
    assert state(world, second) is ExplanationState.SUCCEEDED


def test_work_stops_when_nobody_waits_any_more() -> None:
    world = World()
    explanation = world.create()
    world.work(tasks=2)
    world.completion.cancel(explanation)
    world.work()
    assert len(world.computed) == 2


def test_cancelling_what_is_done_changes_nothing() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.completion.cancel(explanation)
    assert state(world, explanation) is ExplanationState.SUCCEEDED


def test_an_entry_that_cannot_be_filled_fails_everyone_who_waits_for_it() -> None:
    world = World()
    first, second = world.create(), world.create(query=world.item(3))
    world.completion.fail_entry(world.entry(first), ModelNotFoundError("there is no such model"))
    for explanation in (first, second):
        snapshot = world.watcher.snapshot(explanation)
        assert snapshot.state is ExplanationState.FAILED
        assert isinstance(snapshot.error, ModelNotFoundError)
    assert not world.cache.is_wanted(world.entry(first))


def test_an_attempt_that_begins_the_moment_the_last_one_fails_still_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    explanation = world.create()
    finish = world.store.finish

    def finish_and_ask_again(*arguments: object, **named: object) -> bool:
        done = finish(*arguments, **named)  # type: ignore[arg-type]
        monkeypatch.undo()
        world.create()
        return done

    monkeypatch.setattr(world.store, "finish", finish_and_ask_again)
    world.completion.cancel(explanation)
    world.work()
    assert world.store.asked(explanation).attempt == 2
    assert state(world, explanation) is ExplanationState.SUCCEEDED


def test_a_deleted_explanation_does_not_stop_others_that_wait() -> None:
    world = World()
    first, second = sorted([world.create(), world.create(query=world.item(3))])
    world.forgetter.delete(first)
    world.work()
    assert state(world, second) is ExplanationState.SUCCEEDED
    assert world.all_explanations() == [second]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_corrupt_chunk_is_noticed_and_computed_again(chunk: int) -> None:
    world = World()
    explanation = world.create()
    entry = world.entry(explanation)
    for number in range(CHUNKS):
        world.put(entry, number)
    world.blobs.damage(f"{entry.location}{chunk:04d}")
    world.queue.clear()
    world.completion.after_chunk(entry, CHUNKS - 1)
    assert state(world, explanation) is not ExplanationState.SUCCEEDED
    assert world.work() == 1
    assert state(world, explanation) is ExplanationState.SUCCEEDED


def test_a_corrupt_complete_entry_is_computed_again_for_the_next_reader() -> None:
    world = World()
    first = world.create()
    world.work()
    world.blobs.damage(f"{world.entry(first).location}whole")
    second = world.create(query=world.item(3))
    assert world.work() == CHUNKS
    assert state(world, second) is ExplanationState.SUCCEEDED


def test_maps_of_both_images_come_together() -> None:
    world = World()
    explanation = world.create(explained_image=ExplainedImage.BOTH, query=world.query(1))
    world.work()
    kept = world.watcher.snapshot(explanation).maps
    assert [each.saliency.explained_image for each in kept] == [ExplainedImage.QUERY, ExplainedImage.RESULT]
    assert len(world.computed) == 2 * CHUNKS
    for entry in entries_of(world.store.asked(explanation).request).values():
        assert world.cache.subscribers(entry) == []


def test_fidelity_is_computed_piece_by_piece_and_announced_once() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.queue.assessments.clear()
    world.completion.assess(explanation, attempt=1)
    assert world.queue.assessments == [(explanation, 1)]
    for _ in range(2):
        world.completion.assess(explanation, attempt=1)
    assert world.kinds(explanation)[-2:] == ["state", "fidelity"]
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.is_settled
    assert snapshot.maps[0].fidelity is not None


def test_a_map_that_cannot_be_assessed_is_settled_without_fidelity_and_says_why() -> None:
    world = World()
    explanation = world.create()
    world.work()
    before = world.watcher.snapshot(explanation)
    for item in ("item-1", "item-2"):
        damage_embedding(world.catalog, item, b"damaged")

    with pytest.raises(EmbeddingCorruptError):
        world.completion.assess(explanation, attempt=1)

    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.is_settled
    assert snapshot.mark != before.mark
    assert (snapshot.state, snapshot.no_fidelity) == (ExplanationState.SUCCEEDED, "EMBEDDING_CORRUPT")
    assert snapshot.maps[0].fidelity is None
    assert world.kinds(explanation)[-2:] == ["state", "fidelity"]
    world.completion.leave_unassessed(explanation, attempt=1, reason="ANOTHER")
    assert world.watcher.snapshot(explanation).no_fidelity == "EMBEDDING_CORRUPT"


def test_a_store_out_of_reach_leaves_the_assessment_to_be_tried_again() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.queue.is_down = True
    with pytest.raises(BackendUnavailableError):
        world.completion.assess(explanation, attempt=1)
    assert not world.watcher.snapshot(explanation).is_settled


def test_what_an_earlier_attempt_is_worth_settles_no_later_one() -> None:
    world = World()
    explanation = world.create()
    world.completion.cancel(explanation)
    world.create()
    world.work()
    world.completion.leave_unassessed(explanation, attempt=1, reason="WORKER_LOST")
    assert not world.watcher.snapshot(explanation).is_settled


def test_a_map_is_stored_although_nobody_can_be_told() -> None:
    world = World()
    first = world.create()
    world.work()
    world.board.is_down = world.queue.is_down = True
    second = world.create(query=world.item(3))
    assert state(world, second) is ExplanationState.SUCCEEDED
    first_map, second_map = (world.watcher.snapshot(each).maps[0].saliency.values for each in (first, second))
    assert not np.array_equal(first_map, second_map)


def test_background_work_goes_on_behind_readers() -> None:
    world = World()
    background = world.create(queue=QueueName.BACKGROUND)
    interactive = world.create(result=world.item(4))
    world.work(tasks=CHUNKS)
    assert state(world, interactive) is ExplanationState.SUCCEEDED
    assert state(world, background) is ExplanationState.QUEUED
