"""Computing ahead goes on a little at a time, whatever is lost, until it is done, cancelled or given up."""

import pytest
from sqlalchemy import select

from support.explaining import CHANNELS, CHUNKS, World
from xmirad.catalog.explanation_tables import WANTED, cache_entries
from xmirad.errors import BackendUnavailableError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName
from xmirad.explanations.warming import FED_TASKS

ITEMS = 2 * FED_TASKS // CHUNKS


def entries_for(world: World, count: int) -> list[OcclusionEntry]:
    """Return the entries of items for which nothing is computed or asked."""
    model = world.entry(world.create(result=world.item(2)))
    world.forgetter.delete(world.all_explanations()[0])
    world.queue.clear()
    fields = {name: value for name, value in vars(model).items() if name in OcclusionEntry.__dataclass_fields__}
    return [OcclusionEntry(**fields | {"image": world.item(number).digest}) for number in range(100, 100 + count)]


def warm(world: World, entries: list[OcclusionEntry]) -> int:
    return world.warmer.warm(entries, embedding_size=CHANNELS)


def missing(world: World, entries: list[OcclusionEntry]) -> int:
    return sum(len(world.cache.missing(entry)) for entry in entries)


def wanted(world: World) -> list[str]:
    """Return the locations of what is to be computed ahead."""
    statement = select(cache_entries.c.location).where(cache_entries.c.warming == WANTED)
    return list(world.database.read(lambda connection: connection.execute(statement).scalars().all()))


def test_more_than_the_queue_has_room_for_is_fed_to_it_a_few_hundred_tasks_at_a_time() -> None:
    world = World()
    entries = entries_for(world, ITEMS)
    assert warm(world, entries) == 2 * FED_TASKS > world.queue.max_waiting
    assert world.queue.waiting(QueueName.BACKGROUND) == FED_TASKS
    world.sweeper.sweep()
    assert world.queue.waiting(QueueName.BACKGROUND) == FED_TASKS
    for _ in range(3):
        world.work()
        world.sweeper.sweep()
    assert missing(world, entries) == 0
    assert wanted(world) == []
    assert len(world.computed) == len(set(world.computed))


def test_a_reader_has_room_while_everything_is_computed_ahead() -> None:
    world = World(max_waiting=FED_TASKS)
    warm(world, entries_for(world, ITEMS))
    explanation = world.create(result=world.item(5))
    world.work(tasks=CHUNKS)
    assert world.watcher.snapshot(explanation).state.is_terminal


def test_what_is_to_be_computed_ahead_outlives_queue_and_board() -> None:
    world = World()
    entries = entries_for(world, 3)
    warm(world, entries)
    world.work(tasks=2)
    world.queue.clear()
    world.board.clear()
    world.sweeper.sweep()
    world.work()
    assert missing(world, entries) == 0


def test_a_background_that_is_full_of_other_work_is_waited_for() -> None:
    world = World(max_waiting=CHUNKS)
    entries = entries_for(world, 2)
    assert warm(world, entries) == 2 * CHUNKS
    for _ in range(2):
        world.work()
        world.sweeper.sweep()
    assert missing(world, entries) == 0


def test_asking_twice_takes_on_nothing_more() -> None:
    world = World()
    entries = entries_for(world, 2)
    assert [warm(world, entries), warm(world, entries)] == [2 * CHUNKS, 0]
    assert world.queue.waiting(QueueName.BACKGROUND) == 2 * CHUNKS


def test_without_a_queue_nothing_is_taken_on() -> None:
    world = World()
    entries = entries_for(world, 2)
    world.queue.is_down = world.board.is_down = True
    with pytest.raises(BackendUnavailableError):
        warm(world, entries)
    assert wanted(world) == []


def test_a_deleted_image_is_not_computed_ahead() -> None:
    world = World()
    entries = entries_for(world, 2)
    warm(world, entries)
    world.queue.clear()
    world.delete_item(world.item_of(entries[0].image))
    world.sweeper.sweep()
    assert {location for _, location, _ in world.queue.tasks} == {entries[1].location}
    assert wanted(world) == [entries[1].location]
    assert not world.warmer.want(entries[0])


def test_what_is_cancelled_is_queued_no_more_and_its_tasks_stop() -> None:
    world = World()
    entries = entries_for(world, 3)
    warm(world, entries)
    assert world.warmer.cancel(entries[:2]) == 2
    assert world.warmer.cancel(entries[:2]) == 0
    world.work()
    world.sweeper.sweep()
    assert [missing(world, [entry]) for entry in entries] == [CHUNKS, CHUNKS, 0]
    assert world.queue.waiting(QueueName.BACKGROUND) == 0


def test_what_is_given_up_is_counted_and_left_alone_until_it_is_asked_for_again() -> None:
    world = World()
    entries = entries_for(world, 2)
    warm(world, entries)
    world.warmer.give_up(entries[0], "WORKER_LOST")
    world.work()
    world.sweeper.sweep()
    assert world.work() == 0
    plan = world.warmer.plan(entries, embedding_size=CHANNELS)
    assert (plan.complete, plan.given_up) == (1, 1)
    assert warm(world, entries) == CHUNKS
    world.work()
    assert world.warmer.plan(entries, embedding_size=CHANNELS).given_up == 0
    assert missing(world, entries) == 0


def test_what_nobody_asked_for_is_not_given_up() -> None:
    world = World()
    entries = entries_for(world, 1)
    world.warmer.give_up(entries[0], "WORKER_LOST")
    assert wanted(world) == []
