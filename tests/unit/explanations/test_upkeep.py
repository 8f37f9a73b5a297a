"""What must go on although something is broken, gone or out of reach."""

from typing import cast

import numpy as np
import pytest

from support.explaining import CHUNKS, DAY, FakeEmbedder, World
from xmirad.blobs import keys
from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, ItemNotFoundError
from xmirad.explanations.filling import ChunkFiller
from xmirad.explanations.records import ExplanationRequest
from xmirad.explanations.sealing import sealed
from xmirad.explanations.store import REQUEST
from xmirad.explanations.sweeping import Sweeper
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
