"""The cache keeps within its budget, and is warmed within it."""

import pytest

from support.explaining import CHANNELS, CHUNKS, World
from xmirad.errors import InvalidRequestError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName
from xmirad.saliency.method import ExplainedImage

ENTRY_BYTES = 81 * (4 + CHANNELS)


def fill(world: World, *numbers: int) -> list[OcclusionEntry]:
    entries = []
    for number in numbers:
        entries.append(world.entry(world.create(result=world.item(number))))
        world.work()
        age(world)
    return entries


def entries_for(world: World, *numbers: int) -> list[OcclusionEntry]:
    """Return the entries of items for which nothing is computed or waited for."""
    entries = []
    for number in numbers:
        explanation = world.create(result=world.item(number))
        entries.append(world.entry(explanation))
        world.forgetter.delete(explanation)
    world.queue.clear()
    return entries


def age(world: World) -> None:
    """Let so much time pass that the next use is noted."""
    world.now += 3_601.0


def is_there(world: World, entry: OcclusionEntry) -> bool:
    return world.cache.missing(entry) == ()


def test_the_entry_unused_for_longest_goes_first_and_whole() -> None:
    world = World(budget_bytes=2 * ENTRY_BYTES)
    first, second, third = fill(world, 2, 3, 4)
    world.create(query=world.item(9), result=world.item(2))  # uses the first again
    assert world.evictor.evict() == 1
    assert [is_there(world, entry) for entry in (first, second, third)] == [True, False, True]
    assert not [key for key in world.blobs.data if key.startswith(second.location)]
    assert world.evictor.evict() == 0


def test_an_entry_that_an_explanation_waits_for_stays() -> None:
    world = World(budget_bytes=ENTRY_BYTES)
    first, second = fill(world, 2, 3)
    world.cache.subscribe(first, world.all_explanations()[0])
    assert world.evictor.evict() == 1
    assert (is_there(world, first), is_there(world, second)) == (True, False)


def test_what_the_cache_takes_outlives_the_board() -> None:
    world = World(budget_bytes=ENTRY_BYTES + 500)
    fill(world, 2, 3)
    world.board.clear()
    assert world.cache.sums() == (2 * ENTRY_BYTES, 2)
    assert world.evictor.evict() == 1
    assert world.cache.sums() == (ENTRY_BYTES, 1)


def test_entries_of_queries_are_not_evicted() -> None:
    world = World(budget_bytes=1)
    world.create(query=world.query(1), explained_image=ExplainedImage.QUERY)
    world.work()
    assert world.evictor.evict() == 0
    assert any("/occlusion/" in key for key in world.blobs.data)


def test_an_evicted_image_is_computed_again_when_asked_for() -> None:
    world = World(budget_bytes=1)
    (entry,) = fill(world, 2)
    world.evictor.evict()
    world.create(query=world.item(9))
    assert world.work() == CHUNKS
    assert is_there(world, entry)


def test_a_plan_counts_what_is_there_and_what_is_missing() -> None:
    world = World()
    entries = [*fill(world, 2), *entries_for(world, 3, 4)]
    plan = world.warmer.plan(entries, embedding_size=CHANNELS)
    assert (plan.selected, plan.complete, plan.missing_windows) == (3, 1, 2 * 81)
    assert plan.size_bytes == 2 * ENTRY_BYTES
    assert plan.budget_bytes == 1_000_000
    assert not world.queue.tasks


def test_warming_fills_the_cache_in_the_background_though_nobody_waits() -> None:
    world = World()
    entries = entries_for(world, 2, 3)
    assert world.warmer.warm(entries, embedding_size=CHANNELS) == 2 * CHUNKS
    assert {queue for queue, _, _ in world.queue.tasks} == {QueueName.BACKGROUND}
    world.work()
    assert all(is_there(world, entry) for entry in entries)
    assert world.warmer.warm(entries, embedding_size=CHANNELS) == 0


def test_a_warmed_image_is_explained_at_once_and_counts_as_used() -> None:
    world = World()
    entries = entries_for(world, 2)
    world.warmer.warm(entries, embedding_size=CHANNELS)
    world.work()
    assert world.cache.sums() == (ENTRY_BYTES, 1)
    world.board.is_down = world.queue.is_down = True
    assert world.watcher.snapshot(world.create()).maps[0].saliency.exact


def test_a_reader_goes_before_warming_of_the_same_image() -> None:
    world = World()
    world.warmer.warm(entries_for(world, 3, 2), embedding_size=CHANNELS)
    explanation = world.create(result=world.item(2))
    world.work(tasks=CHUNKS)
    assert world.watcher.snapshot(explanation).state.is_terminal
    assert len(world.computed) == CHUNKS


def test_warming_beyond_the_budget_is_refused_and_names_the_limit() -> None:
    world = World(budget_bytes=2 * ENTRY_BYTES)
    entries = entries_for(world, 2, 3, 4)
    with pytest.raises(InvalidRequestError) as caught:
        world.warmer.warm(entries, embedding_size=CHANNELS)
    assert caught.value.field == "max_items"
    assert caught.value.metadata["highest"] == str(2 * ENTRY_BYTES)
    assert not world.queue.tasks
