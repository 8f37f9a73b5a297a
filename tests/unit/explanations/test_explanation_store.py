"""What is stored of explanations reads as it was written, or counts as not there."""

import pytest

from support.explaining import CHUNKS, World
from xmirad.blobs import keys
from xmirad.errors import ExplanationNotFoundError, InvalidRequestError, ModelNotFoundError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.store import ExplanationStore
from xmirad.types import ExplanationState


def done() -> tuple[World, str]:
    world = World()
    explanation = world.create()
    world.work()
    return world, explanation


def blob(explanation: str, name: str) -> str:
    return keys.attempt(explanation, 1) + name


def test_records_outlive_every_process() -> None:
    world, explanation = done()
    again = ExplanationStore(world.database, world.blobs)
    asked = again.asked(explanation)
    outcome = again.outcome(asked)
    assert asked.request == world.store.asked(explanation).request
    assert asked.queue is QueueName.INTERACTIVE
    assert outcome is not None
    assert outcome.state is ExplanationState.SUCCEEDED
    assert outcome.finish_time == world.now


@pytest.mark.parametrize("result", ["", "{", "[]", '{"maps": "of another version", "error": null}', None])
def test_a_damaged_result_counts_as_absent_and_is_made_again(result: str | None) -> None:
    world, explanation = done()
    before = world.blobs.data[blob(explanation, "map-result")]
    if result is None:
        world.blobs.damage(blob(explanation, "map-result"))
    else:
        world.damage(explanation, result=result)
    assert world.watcher.snapshot(explanation).state is ExplanationState.RUNNING
    world.create()
    assert world.watcher.snapshot(explanation).state is ExplanationState.SUCCEEDED
    assert world.blobs.data[blob(explanation, "map-result")] == before
    assert len(world.computed) == CHUNKS


def test_a_lost_map_is_made_again_by_the_sweeper_even_after_it_was_settled() -> None:
    world, explanation = done()
    world.completion.assess(explanation, attempt=1)
    world.completion.assess(explanation, attempt=1)
    world.sweeper.sweep()
    world.blobs.delete(blob(explanation, "map-result"))
    assert world.watcher.snapshot(explanation).state is ExplanationState.RUNNING
    world.sweeper.sweep()
    assert world.watcher.snapshot(explanation).state is ExplanationState.SUCCEEDED


def test_a_corrupt_preview_and_corrupt_fidelity_count_as_absent() -> None:
    world = World()
    explanation = world.create()
    world.work(tasks=2)
    world.damage(explanation, preview="{")
    assert world.watcher.snapshot(explanation).maps == ()
    world.work()
    for _ in range(2):
        world.completion.assess(explanation, attempt=1)
    world.damage(explanation, fidelity="{")
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.state is ExplanationState.SUCCEEDED
    assert {kept.fidelity for kept in snapshot.maps} == {None}
    assert snapshot.no_fidelity == "UNREADABLE"


def test_a_damaged_request_counts_as_absent_until_it_is_asked_again() -> None:
    world, explanation = done()
    world.damage(explanation, request="{")
    with pytest.raises(ExplanationNotFoundError):
        world.store.asked(explanation)
    assert world.create() == explanation
    assert world.watcher.snapshot(explanation).state is ExplanationState.SUCCEEDED


def test_a_coarse_preview_never_replaces_a_finer_one() -> None:
    world = World()
    explanation = world.create()
    world.work(tasks=1)
    asked = world.store.asked(explanation)
    coarse = world.store.preview(asked)
    world.work(tasks=1)
    fine = world.store.preview(asked)
    world.store.put_preview(asked, coarse, windows=9)
    assert world.store.preview(asked)[0].pixels() == fine[0].pixels() != coarse[0].pixels()


def test_only_the_first_end_of_an_attempt_counts() -> None:
    world, explanation = done()
    asked = world.store.asked(explanation)
    assert not world.store.finish(asked, ExplanationState.CANCELLED)
    outcome = world.store.outcome(asked)
    assert outcome is not None
    assert outcome.state is ExplanationState.SUCCEEDED


@pytest.mark.parametrize(
    "error",
    [
        ModelNotFoundError("there is no such model", metadata={"model": "a"}),
        InvalidRequestError("no", field="options.contrast_item"),
    ],
)
def test_an_error_is_kept_as_it_was(error: ModelNotFoundError | InvalidRequestError) -> None:
    world = World()
    explanation = world.create()
    world.completion.fail(world.store.asked(explanation), error)
    kept = world.watcher.snapshot(explanation).error
    assert type(kept) is type(error)
    assert kept is not None
    assert (kept.message, kept.field, kept.metadata) == (error.message, error.field, error.metadata)


def test_a_deleted_explanation_leaves_no_blob_and_its_next_life_goes_on_counting() -> None:
    world, explanation = done()
    world.forgetter.delete(explanation)
    assert list(world.blobs.list(keys.explanation(explanation))) == []
    assert world.all_explanations() == []
    world.create()
    assert world.store.asked(explanation).attempt == 2


def test_what_is_written_for_a_deleted_attempt_does_not_stay() -> None:
    world, explanation = done()
    asked = world.store.asked(explanation)
    outcome = world.store.outcome(asked)
    assert outcome is not None
    world.forgetter.delete(explanation)
    assert not world.store.finish(asked, ExplanationState.SUCCEEDED, maps=outcome.maps)
    world.store.put_preview(asked, outcome.maps, windows=9)
    assert list(world.blobs.list(keys.explanation(explanation))) == []


def test_what_a_paused_process_wrote_after_a_purge_goes_a_day_later_with_the_row() -> None:
    world, explanation = done()
    world.forgetter.delete(explanation)
    late = blob(explanation, "map-result")
    world.blobs.put(late, b"late")
    world.forgetter.purger.purge_all()
    assert world.blobs.exists(late)
    world.now += 86_401
    world.forgetter.purger.purge_all()
    assert not world.blobs.exists(late)
    world.create()
    assert world.store.asked(explanation).attempt == 1
