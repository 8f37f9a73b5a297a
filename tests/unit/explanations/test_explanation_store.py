"""What is stored of explanations reads as it was written, or counts as not there."""

import pytest

from support.explaining import CHUNKS, World
from xmirad.errors import EmbeddingCorruptError, ExplanationNotFoundError, InvalidRequestError, ModelNotFoundError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.sealing import sealed, unsealed
from xmirad.explanations.store import ExplanationStore
from xmirad.types import ExplanationState


def done() -> tuple[World, str]:
    world = World()
    explanation = world.create()
    world.work()
    return world, explanation


def blob(explanation: str, name: str) -> str:
    return f"explanations/{explanation}/0001/{name}"


def test_records_outlive_every_process() -> None:
    world, explanation = done()
    again = ExplanationStore(world.blobs)
    asked = again.asked(explanation)
    outcome = again.outcome(asked)
    assert asked.request == world.store.asked(explanation).request
    assert asked.queue is QueueName.INTERACTIVE
    assert outcome is not None
    assert outcome.state is ExplanationState.SUCCEEDED
    assert outcome.finish_time == world.now


@pytest.mark.parametrize("name", ["result.json", "map-result"])
def test_a_corrupt_result_counts_as_absent_and_is_made_again(name: str) -> None:
    world, explanation = done()
    before = world.blobs.data[blob(explanation, "map-result")]
    world.blobs.damage(blob(explanation, name))
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
    world.blobs.damage(blob(explanation, "preview.json"))
    assert world.watcher.snapshot(explanation).maps == ()
    world.work()
    for _ in range(2):
        world.completion.assess(explanation, attempt=1)
    world.blobs.damage(blob(explanation, "fidelity.json"))
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.state is ExplanationState.SUCCEEDED
    assert not snapshot.is_settled


def test_a_corrupt_request_counts_as_absent_until_it_is_asked_again() -> None:
    world, explanation = done()
    world.blobs.damage(blob(explanation, "request.json"))
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


def test_deletion_takes_everything_and_the_request_first(monkeypatch: pytest.MonkeyPatch) -> None:
    world, explanation = done()
    order: list[str] = []
    delete = world.blobs.delete

    def noted(key: str) -> None:
        order.append(key)
        delete(key)

    monkeypatch.setattr(world.blobs, "delete", noted)
    world.store.delete(explanation)
    assert order[0] == blob(explanation, "request.json")
    assert list(world.store.explanations()) == []


def test_a_sealed_document_reads_as_written_or_not_at_all() -> None:
    data = sealed({"b": [1.5, None], "a": "ü"})
    assert unsealed(data) == {"a": "ü", "b": [1.5, None]}
    for broken in (b"", data[:-1], data[1:], data + b" ", b"{}"):
        with pytest.raises(EmbeddingCorruptError):
            unsealed(broken)
