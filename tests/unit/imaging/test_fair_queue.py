"""Whose image is next, with a clock that stands still until a test moves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.errors import OverloadedError
from xmirad.imaging import fair_queue
from xmirad.imaging.fair_queue import HALF_LIFE_SECONDS, SLOW_MEMORY_SECONDS, FairQueue, Pace, Ticket
from xmirad.lanes import READER_PRESENCE_SECONDS, Priority

INTERACTIVE, BACKGROUND = Priority.INTERACTIVE, Priority.BACKGROUND


@dataclass
class World:
    """A queue of images, each of which is named by its item."""

    places: int = 1
    max_waiting: int = 100
    now: float = 0.0
    queue: FairQueue[str] = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FairQueue(places=self.places, max_waiting=self.max_waiting, clock=lambda: self.now)

    def put(self, caller: str, item: str = "", priority: Priority = INTERACTIVE) -> Ticket[str]:
        return self.queue.put(item or caller, caller=caller, priority=priority)

    def taken(self) -> Ticket[str]:
        ticket = self.queue.take()
        assert ticket is not None
        return ticket

    def decode(self, seconds: float) -> Ticket[str]:
        """Decode the next image, which takes so long."""
        ticket = self.taken()
        self.now += seconds
        self.queue.finish(ticket, seconds=seconds)
        return ticket

    def make_slow(self, caller: str, priority: Priority = INTERACTIVE) -> None:
        """Let a caller have an image that took long."""
        self.put(caller, priority=priority)
        self.queue.finish(self.taken(), seconds=1.0, is_slow=True)


def test_images_of_one_caller_come_in_their_order() -> None:
    world = World()
    for item in "abc":
        world.put("x", item)
    assert [world.decode(0.1).item for _ in range(3)] == ["a", "b", "c"]
    assert world.queue.take() is None


def test_callers_take_turns() -> None:
    world = World()
    for _ in range(3):
        world.put("a")
    for _ in range(3):
        world.put("b")
    assert [world.decode(0.1).item for _ in range(6)] == ["a", "b", "a", "b", "a", "b"]


def test_a_newcomer_waits_for_no_more_than_what_is_under_way() -> None:
    world = World()
    for _ in range(50):
        world.put("many")
    world.decode(0.1)
    world.put("one")
    assert world.decode(0.1).item == "one"


def test_turns_are_weighed_by_processor_time() -> None:
    world = World()
    costs = {"dear": 0.2, "cheap": 0.05}
    for caller in costs:
        for _ in range(2):
            world.put(caller)
    spent = _spent(world, costs, rounds=200)
    assert spent["dear"] == pytest.approx(spent["cheap"], rel=0.1)


@settings(deadline=None, max_examples=50)
@given(
    costs=st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1.0), min_size=2),
    places=st.integers(1, 3),
)
def test_shares_of_processor_time_become_equal_and_nobody_starves(costs: Mapping[str, float], places: int) -> None:
    world = World(places=places)
    for caller in costs:
        for _ in range(places):
            world.put(caller)
    spent = _spent(world, costs, rounds=600)
    dearest = max(costs.values())
    assert all(spent.values())
    assert max(spent.values()) - min(spent.values()) <= (places + 1) * dearest + 0.05 * max(spent.values())


def _spent(world: World, costs: Mapping[str, float], *, rounds: int) -> dict[str, float]:
    """Let all places be taken and freed again and again by callers who always have images waiting.

    Returns:
        The processor seconds of each caller.
    """
    spent = dict.fromkeys(costs, 0.0)
    for _ in range(rounds):
        tickets = [ticket for _ in range(world.places) if (ticket := world.queue.take())]
        for ticket in tickets:
            world.queue.finish(ticket, seconds=costs[ticket.caller])
            spent[ticket.caller] += costs[ticket.caller]
            world.put(ticket.caller)
        world.now += 1e-3
    return spent


def test_what_was_used_is_forgotten_by_and_by() -> None:
    world = World()
    world.put("heavy")
    world.decode(10.0)
    world.now += 10 * HALF_LIFE_SECONDS
    world.put("light")
    world.decode(0.1)
    for caller in ("light", "heavy"):
        world.put(caller)
    assert world.decode(0.1).item == "heavy"


def test_interactive_images_of_a_caller_come_before_its_background_images() -> None:
    world = World()
    world.put("a", "upload", BACKGROUND)
    world.put("a", "search")
    assert [world.decode(0.1).item for _ in range(2)] == ["search", "upload"]


def test_searches_of_one_caller_do_not_starve_the_uploads_of_another() -> None:
    world = World()
    for _ in range(9):
        world.put("reader")
    world.put("uploader", "upload", BACKGROUND)
    assert "upload" in [world.decode(0.1).item for _ in range(3)]


def test_background_images_leave_a_place_free_while_readers_are_about() -> None:
    world = World(places=2)
    world.put("reader")
    world.decode(0.01)
    for _ in range(2):
        world.put("uploader", priority=BACKGROUND)
    assert world.queue.take() is not None
    assert world.queue.take() is None
    world.now += READER_PRESENCE_SECONDS + 0.1
    assert world.queue.take() is not None


def test_no_more_images_begin_than_there_are_places() -> None:
    world = World(places=2)
    for _ in range(3):
        world.put("a")
    first = world.taken()
    world.taken()
    assert world.queue.take() is None
    world.queue.finish(first, seconds=0.1)
    assert world.queue.take() is not None


def test_a_slow_image_moves_and_makes_its_place_free() -> None:
    world = World()
    world.put("slow")
    ticket = world.taken()
    assert world.queue.slow_down(ticket)
    assert ticket.pace is Pace.SLOW
    world.put("quick")
    assert world.taken().item == "quick"


def test_images_of_a_caller_that_was_slow_wait_for_slow_places() -> None:
    world = World()
    world.make_slow("slow")
    for _ in range(2):
        world.put("slow")
    world.put("quick")
    found = [world.taken(), world.taken()]
    assert [(each.caller, each.pace) for each in found] == [("quick", Pace.QUICK), ("slow", Pace.SLOW)]
    assert world.queue.take() is None


def test_a_caller_that_was_slow_long_ago_is_quick_again() -> None:
    world = World()
    world.make_slow("a")
    world.now += SLOW_MEMORY_SECONDS + 0.1
    world.put("a")
    assert world.taken().pace is Pace.QUICK


def test_slow_uploads_do_not_slow_down_the_searches_of_their_caller() -> None:
    world = World()
    world.make_slow("a", BACKGROUND)
    world.put("a", "upload", BACKGROUND)
    world.put("a", "search")
    found = [world.taken(), world.taken()]
    assert {each.item: each.pace for each in found} == {"search": Pace.QUICK, "upload": Pace.SLOW}


def test_a_slow_image_goes_on_where_it_is_while_nobody_waits_for_its_place() -> None:
    world = World()
    first, ticket = world.put("a"), world.put("b")
    for each in (first, ticket):
        assert world.taken() is each
        assert world.queue.slow_down(each)
    assert ticket.pace is Pace.QUICK  # the slow place was taken by the first
    world.put("c")
    assert not world.queue.slow_down(ticket)


def test_a_stopped_image_waits_for_a_slow_place_before_others_of_its_caller() -> None:
    world = World()
    world.put("a", "first")
    world.put("a", "second")
    ticket = world.taken()
    world.queue.slow_down(ticket)
    world.queue.put_back(ticket, seconds=0.2)
    world.now += SLOW_MEMORY_SECONDS + 0.1
    again = world.taken()
    assert (again.item, again.pace) == ("first", Pace.SLOW)


def test_an_image_that_is_expected_to_be_slow_never_gets_a_quick_place() -> None:
    world = World()
    world.queue.put("many scans", caller="a", priority=INTERACTIVE, pace=Pace.SLOW)
    assert world.taken().pace is Pace.SLOW


def test_a_stopped_image_is_charged_in_full() -> None:
    world = World()
    world.put("a")
    ticket = world.taken()
    world.queue.slow_down(ticket)
    world.queue.put_back(ticket, seconds=2.0)
    world.queue.finish(world.taken(), seconds=0.1)
    world.now += SLOW_MEMORY_SECONDS + 0.1
    world.put("b")
    world.decode(0.1)
    for caller in "ab":
        world.put(caller)
    assert world.decode(0.1).item == "b"


def test_a_withdrawn_image_leaves_the_queue_and_costs_nothing() -> None:
    world = World(max_waiting=1)
    ticket = world.put("a", "withdrawn")
    assert world.queue.withdraw(ticket)
    assert len(world.queue) == 0
    world.put("a", "next")
    assert world.taken().item == "next"


def test_an_image_under_way_is_marked_when_it_is_withdrawn() -> None:
    world = World()
    world.put("a")
    ticket = world.taken()
    assert not world.queue.withdraw(ticket)
    assert ticket.is_withdrawn


def test_each_caller_may_have_so_many_images_waiting() -> None:
    world = World(max_waiting=2)
    for _ in range(2):
        world.put("a")
    with pytest.raises(OverloadedError) as caught:
        world.put("a")
    assert caught.value.metadata == {"max_waiting_images": "2"}
    assert caught.value.retry_delay_seconds
    world.put("b")


def test_what_waits_can_be_taken_out_at_once() -> None:
    world = World()
    for caller in "aab":
        world.put(caller)
    assert len(world.queue.drain()) == 3
    assert len(world.queue) == 0
    assert world.queue.take() is None


def test_callers_that_used_little_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "MOST_ACCOUNTS", 2)
    world = World()
    for caller, seconds in (("heavy", 5.0), ("light", 0.1), ("new", 0.1)):
        world.put(caller)
        world.decode(seconds)
    for caller in ("heavy", "light"):
        world.put(caller)
    assert world.decode(0.1).item == "light"
