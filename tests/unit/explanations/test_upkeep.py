"""What must go on although something is broken, gone or out of reach."""

from collections.abc import Iterable
from contextlib import suppress
from typing import cast

import numpy as np
import pytest

from support.explaining import CHUNKS, DAY, FakeEmbedder, World
from xmirad.blobs import keys
from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, ItemNotFoundError
from xmirad.explanations.filling import ChunkFiller
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest
from xmirad.explanations.sealing import sealed
from xmirad.explanations.store import REQUEST, RESULT
from xmirad.explanations.sweeping import MOST_UNAVAILABLE, NOT_SWEPT, Sweeper
from xmirad.models.embedder import BackboneEmbedder
from xmirad.types import ExplanationState, Float32Array


def state(world: World, explanation: str) -> ExplanationState:
    return world.watcher.snapshot(explanation).state


@pytest.mark.parametrize("damage", [b"", b"{", b"x" * 200])
def test_a_query_record_that_cannot_be_read_stops_no_sweep(damage: bytes) -> None:
    world = World()
    broken, healthy = world.query(1), world.create(query=world.query(2))
    world.create(query=broken)
    world.queue.clear()
    world.blobs.put(keys.query_record(broken.digest), damage)

    world.sweeper.sweep()
    world.work()

    assert state(world, healthy) is ExplanationState.SUCCEEDED
    assert broken.digest not in set(world.images.queries())


def test_a_request_that_no_longer_makes_sense_stops_no_sweep() -> None:
    world = World()
    unreadable, healthy = world.create(), world.create(query=world.item(3))
    world.queue.clear()
    document = {"request": {"method": "of another version"}, "queue": "interactive", "create_time": 0.0}
    world.blobs.put(f"{keys.attempt(unreadable, 1)}{REQUEST}", sealed(document))

    world.sweeper.sweep()
    world.work()

    assert state(world, healthy) is ExplanationState.SUCCEEDED
    assert list(world.blobs.list(keys.explanation(unreadable))) == []


def test_what_has_expired_is_deleted_while_there_is_no_queue() -> None:
    world = World()
    query = world.query(1)
    explanation = world.create(query=query)
    world.work()
    world.board.is_down = world.queue.is_down = True
    world.now += DAY + 1

    with pytest.raises(BackendUnavailableError):
        world.sweeper.sweep()
    world.sweeper.expire()

    assert list(world.blobs.list(keys.query(query.digest))) == []
    with pytest.raises(ExplanationNotFoundError):
        world.store.asked(explanation)


def test_a_query_that_is_asked_about_again_is_kept_anew() -> None:
    world = World()
    world.create(query=world.query(1))
    world.now += DAY - 5

    again = world.create(query=world.query(1), result=world.item(4))
    world.now += 10
    world.sweeper.sweep()

    assert state(world, again) is ExplanationState.QUEUED


def test_a_sweeper_remembers_nothing_of_what_is_gone() -> None:
    world = World()
    for number in range(3, 6):
        explanation = world.create(query=world.item(number))
        world.work()
        world.now += 7_200  # no longer waits for its fidelity
        world.sweeper.sweep()
        world.forgetter.delete(explanation)
    world.sweeper.sweep()

    assert remembered(world.sweeper) == 0


def remembered(sweeper: Sweeper) -> int:
    return len(sweeper._settled)


def test_nothing_is_left_of_an_image_that_was_deleted_while_it_was_computed() -> None:
    world = World()
    explanation = world.create()
    entry = world.entry(explanation)

    class DeletingEmbedder(FakeEmbedder):
        """Deletes the image as soon as it computes."""

        def embed_normalized(self, batch: Float32Array) -> Float32Array:
            world.blobs.delete(keys.model_input(entry.image, entry.preprocessing))
            return np.eye(8, dtype=np.float32)[: len(batch)]

    filler = ChunkFiller(world.images, world.cache, embedder_of=lambda _: cast("BackboneEmbedder", DeletingEmbedder()))

    with pytest.raises(ItemNotFoundError):
        filler.fill(entry, 0)

    assert list(world.blobs.list(keys.occlusion(entry.image))) == []
    with pytest.raises(ItemNotFoundError):
        filler.fill(entry, 1)


def test_what_was_deleted_with_its_image_costs_no_entry_its_place() -> None:
    world = World(budget_bytes=1_500)
    gone, kept = world.create(), world.create(result=world.item(5))
    world.work()
    for key in list(world.blobs.list(world.entry(gone).location)):
        world.blobs.delete(key)
    used = world.cache.stored_bytes(world.entry(kept).location)
    assert used < 1_500 < sum(size for _, size in world.board.least_recently_used())

    assert world.evictor.evict() == 0
    assert world.cache.missing(world.entry(kept)) == ()
    assert [location for location, _ in world.board.least_recently_used()] == [world.entry(kept).location]


def test_entries_of_deleted_images_are_found_by_listing() -> None:
    world = World()
    entry = world.entry(world.create())
    world.work(tasks=CHUNKS)
    world.blobs.delete(keys.model_input(entry.image, entry.preprocessing))

    world.evictor.reconcile()

    assert list(world.blobs.list(keys.occlusion(entry.image))) == []


def test_what_feedback_was_made_of_items_goes_with_each_of_them() -> None:
    world = World()
    query, made_from = world.vector(1), ("liked", "disliked")
    explanation = world.create(query=query, made_from=made_from)
    assert world.store.asked(explanation).request.made_from == made_from
    assert world.forgetter.delete_of_items("chest", frozenset({"another"})) == 0
    assert world.forgetter.delete_of_items("chest", frozenset({"disliked"})) == 1
    assert list(world.blobs.list(keys.explanation(explanation))) == []
    assert list(world.blobs.list(keys.query(query.digest))) == []


def test_a_request_without_feedback_is_stored_and_named_as_ever() -> None:
    request = World().request()
    document = request.to_document()
    assert "made_from" not in document
    assert ExplanationRequest.from_document(document) == request


OTHER_RESULTS = [{}, {"maps": [{"blob": 1}], "error": None}, {"maps": "of another version"}, []]


def poisoned(world: World, document: object) -> str:
    """Return an explanation whose result is as it was written, and of another version."""
    explanation = world.create(query=world.query(1))
    world.queue.clear()
    world.blobs.put(f"{keys.attempt(explanation, 1)}{RESULT}", sealed(cast("dict[str, object]", document)))
    return explanation


@pytest.mark.parametrize("document", OTHER_RESULTS, ids=str)
def test_a_result_of_another_version_stops_nothing_of_a_sweep(
    document: object, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    for number in range(3, 9):
        world.create(query=world.item(number))  # these expire
    world.work()
    world.now += 7 * DAY - 1
    poison = poisoned(world, document)
    unfinished = [world.create(query=world.query(number)) for number in range(3, 9)]
    world.board.clear()
    world.queue.clear()
    world.now += 1

    assert world.sweeper.sweep()

    assert sorted(world.store.explanations()) == sorted([poison, *unfinished])
    assert len(list(world.images.queries())) == 1 + len(unfinished)
    named = [vars(record)["explanation"] for record in caplog.records if record.message == "explanation.not_swept"]
    assert named == [poison]
    assert world.board.counters()[NOT_SWEPT] == 1
    world.work()
    assert {state(world, each) for each in unfinished} == {ExplanationState.SUCCEEDED}


@pytest.mark.parametrize("document", OTHER_RESULTS, ids=str)
def test_an_explanation_that_cannot_be_read_expires_with_its_query(document: object) -> None:
    world = World()
    poison = poisoned(world, document)
    world.sweeper.sweep()
    assert poison in world.store.explanations()
    assert list(world.images.queries())

    world.now += 7 * DAY
    world.sweeper.expire()

    assert list(world.store.explanations()) == []
    assert not list(world.images.queries())


def unreadable(world: World, explanations: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the blob store fail for some explanations, as a disk does with damaged sectors."""
    prefixes, get = tuple(f"explanations/{each}/" for each in explanations), world.blobs.get

    def get_or_fail(key: str) -> bytes:
        if key.startswith(prefixes):
            raise BackendUnavailableError("read failed", metadata={"backend": "blobs"})
        return get(key)

    monkeypatch.setattr(world.blobs, "get", get_or_fail)


@pytest.mark.parametrize("count", [1, MOST_UNAVAILABLE + 2])
def test_explanations_that_the_disk_cannot_read_stop_no_others(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    explanations = sorted(world.create(query=world.query(number)) for number in range(3, 3 + 2 * count))
    world.queue.clear()
    world.board.clear()
    bad, good = explanations[:count], explanations[count:]
    unreadable(world, bad, monkeypatch)

    for _ in range(2 + count // MOST_UNAVAILABLE):
        with suppress(BackendUnavailableError):
            world.sweeper.sweep()
    world.work()

    assert {state(world, each) for each in good} == {ExplanationState.SUCCEEDED}
    assert len(list(world.images.queries())) == 2 * count
    assert world.board.counters()[NOT_SWEPT] >= count

    world.now += DAY
    with suppress(BackendUnavailableError):
        world.sweeper.sweep()
    assert not list(world.images.queries())
    assert sorted(world.store.explanations()) == bad


def test_a_store_that_is_away_ends_a_sweep_after_few_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    explanations = [world.create(query=world.item(number)) for number in range(3, 23)]
    unreadable(world, explanations, monkeypatch)
    with pytest.raises(BackendUnavailableError):
        world.sweeper.sweep()
    assert world.board.counters()[NOT_SWEPT] == MOST_UNAVAILABLE


@pytest.mark.parametrize("part", ["reconcile", "evict"])
def test_a_part_of_a_sweep_that_fails_keeps_the_others_from_nothing(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise KeyError(part)

    world = World()
    entry = world.entry(world.create(queue=QueueName.BACKGROUND))
    world.queue.clear()
    world.warmer.warm([entry], embedding_size=8)
    world.queue.clear()
    world.board.clear()
    monkeypatch.setattr(world.evictor, part, fails)
    with pytest.raises(KeyError):
        world.sweeper.sweep()
    assert world.board.is_wanted(entry.location)
    assert entry.location in world.board.warming


@pytest.mark.parametrize("document", [{}, {"entry": {"codec": "of another version"}, "reason": ""}], ids=str)
def test_a_request_to_warm_of_another_version_is_dropped_and_stops_no_warming(document: dict[str, object]) -> None:
    world = World()
    entry = world.entry(world.create())
    world.queue.clear()
    bad = f"{keys.WARMING}{'0' * 64}/0"
    world.blobs.put(bad, sealed(document))
    world.warmer.warm([entry], embedding_size=8)
    assert entry.location in world.board.warming
    assert not world.blobs.exists(bad)
