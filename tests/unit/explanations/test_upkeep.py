"""What must go on although something is broken, gone or out of reach."""

from typing import cast

import numpy as np
import pytest
from sqlalchemy import update

from support.explaining import CHUNKS, DAY, FakeEmbedder, World
from support.plans import statements_of
from xmirad.blobs import keys
from xmirad.catalog.explanation_tables import cache_entries
from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, ItemNotFoundError
from xmirad.explanations.filling import ChunkFiller
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest
from xmirad.explanations.store import Asked
from xmirad.explanations.sweeping import MOST_UNAVAILABLE, NOT_SWEPT
from xmirad.models.embedder import BackboneEmbedder
from xmirad.types import ExplanationState, Float32Array


def state(world: World, explanation: str) -> ExplanationState:
    return world.watcher.snapshot(explanation).state


def test_a_request_that_no_longer_makes_sense_stops_no_sweep() -> None:
    world = World()
    unreadable, healthy = world.create(), world.create(query=world.item(3))
    world.queue.clear()
    world.damage(unreadable, request='{"method": "of another version"}')

    world.sweeper.sweep()
    world.work()

    assert state(world, healthy) is ExplanationState.SUCCEEDED
    assert world.all_explanations() == [healthy]


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


def test_a_sweep_looks_at_nothing_that_is_settled() -> None:
    world = World()
    for number in range(3, 6):
        world.create(query=world.item(number))
        world.work()
    world.now += 7_200  # no longer wait for their fidelity
    world.sweeper.sweep()
    with statements_of(world.database) as few:
        world.sweeper.sweep()
    for number in range(6, 26):
        world.create(query=world.item(number))
        world.work()
    world.now += 7_200
    world.sweeper.sweep()
    with statements_of(world.database) as many:
        world.sweeper.sweep()
    assert [statement for statement, _ in many] == [statement for statement, _ in few]


def test_nothing_is_left_of_an_image_that_was_deleted_while_it_was_computed() -> None:
    world = World()
    result = world.item(2)
    entry = world.entry(world.create(result=result))

    class DeletingEmbedder(FakeEmbedder):
        """Deletes the image as soon as it computes."""

        def embed_normalized(self, batch: Float32Array) -> Float32Array:
            world.delete_item(result)
            return np.eye(8, dtype=np.float32)[: len(batch)]

    filler = ChunkFiller(world.images, world.cache, embedder_of=lambda _: cast("BackboneEmbedder", DeletingEmbedder()))

    with pytest.raises(ItemNotFoundError):
        filler.fill(entry, 0)

    assert list(world.blobs.list(keys.occlusion(entry.image))) == []
    with pytest.raises(ItemNotFoundError):
        filler.fill(entry, 1)


def test_what_was_deleted_with_its_image_costs_no_entry_its_place() -> None:
    world = World(budget_bytes=1_500)
    image = world.item(2)
    world.create(result=image)
    kept = world.create(result=world.item(5))
    world.work()
    assert world.cache.sums() == (2 * 81 * 12, 2)
    world.delete_item(image)
    assert world.cache.sums() == (81 * 12, 1)
    assert world.evictor.evict() == 0
    assert world.cache.missing(world.entry(kept)) == ()


def test_nothing_is_left_of_the_cache_of_a_deleted_image() -> None:
    world = World()
    image = world.item(2)
    entry = world.entry(world.create(result=image))
    world.work(tasks=CHUNKS)
    world.delete_item(image)
    world.forgetter.purger.purge_all()
    assert list(world.blobs.list(keys.occlusion(entry.image))) == []
    with pytest.raises(ItemNotFoundError):
        world.cache.open(entry)


def test_what_feedback_was_made_of_items_goes_with_each_of_them() -> None:
    world = World()
    query, made_from = world.vector(1), tuple(world.item(number).item for number in (3, 4))
    explanation = world.create(query=query, made_from=made_from)
    assert world.store.asked(explanation).request.made_from == made_from
    creation = world.archive.creation
    assert world.forgetter.delete_of_items(creation, ["another"]) == 0
    assert world.forgetter.delete_of_items(creation, [made_from[1]]) == 1
    assert list(world.blobs.list(keys.explanation(explanation))) == []
    assert list(world.blobs.list(keys.query(query.digest))) == []


def test_a_request_without_feedback_is_stored_and_named_as_ever() -> None:
    request = World().request()
    document = request.to_document()
    assert "made_from" not in document
    assert ExplanationRequest.from_document(document) == request


def test_what_fails_for_one_explanation_stops_nothing_of_a_sweep(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    for number in range(3, 9):
        world.create(query=world.item(number))  # these expire
    world.work()
    world.now += 7 * DAY - 1
    unfinished = sorted(world.create(query=world.query(n), result=world.item(30)) for n in range(3, 10))
    poison, start = unfinished[3], world.creator.start
    world.board.clear()
    world.queue.clear()
    world.now += 1

    def start_or_fail(asked: Asked, *, queue: QueueName) -> None:
        if asked.request.explanation == poison:
            raise KeyError("of another version")
        start(asked, queue=queue)

    monkeypatch.setattr(world.creator, "start", start_or_fail)
    assert world.sweeper.sweep()

    assert world.all_explanations() == unfinished
    named = [vars(record)["explanation"] for record in caplog.records if record.message == "explanation.not_swept"]
    assert named == [poison]
    assert world.board.counters()[NOT_SWEPT] == 1
    world.work()
    assert {state(world, each) for each in unfinished if each != poison} == {ExplanationState.SUCCEEDED}
    world.now += DAY
    world.sweeper.expire()
    assert world.all_explanations() == world.all_queries() == []


def test_a_store_that_is_away_ends_a_sweep_after_few_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for number in range(3, 23):
        world.create(query=world.item(number))
    world.queue.clear()

    def away(asked: Asked, *, queue: QueueName) -> None:
        raise BackendUnavailableError("read failed", metadata={"backend": "blobs"})

    monkeypatch.setattr(world.creator, "start", away)
    with pytest.raises(BackendUnavailableError):
        world.sweeper.sweep()
    assert world.board.counters()[NOT_SWEPT] == MOST_UNAVAILABLE


def test_a_part_of_a_sweep_that_fails_keeps_the_others_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise KeyError("evict")

    world = World()
    entry = world.entry(world.create(queue=QueueName.BACKGROUND))
    world.queue.clear()
    world.warmer.warm([entry], embedding_size=8)
    world.queue.clear()
    world.board.clear()
    monkeypatch.setattr(world.evictor, "evict", fails)
    with pytest.raises(KeyError):
        world.sweeper.sweep()
    assert world.queue.waiting(QueueName.BACKGROUND) == CHUNKS


@pytest.mark.parametrize("document", ["{", "{}", '{"codec": "of another version"}'])
def test_an_entry_to_warm_of_another_version_is_given_up_and_stops_no_warming(document: str) -> None:
    world = World()
    first, second = (world.entry(world.create(result=world.item(number))) for number in (5, 6))
    world.queue.clear()
    damaged, healthy = sorted((first, second), key=lambda entry: entry.location)
    row = update(cache_entries).where(cache_entries.c.location == damaged.location).values(document=document)
    world.database.write(lambda connection: connection.execute(row))
    world.warmer.warm([damaged, healthy], embedding_size=8)
    assert {location for _, location, _ in world.queue.tasks} == {healthy.location}
    assert world.warmer.plan([damaged], embedding_size=8).given_up == 1
