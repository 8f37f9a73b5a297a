"""What a watcher sees at one moment, with and without a board."""

import itertools

from support.explaining import World
from xmirad.explanations.records import MethodName
from xmirad.types import ExplanationState


def test_every_change_has_another_mark() -> None:
    world = World()
    explanation = world.create()
    marks = [world.watcher.snapshot(explanation).mark]
    while world.work(tasks=1):
        marks.append(world.watcher.snapshot(explanation).mark)
    for _ in range(2):
        world.completion.assess(explanation, attempt=1)
    marks.append(world.watcher.snapshot(explanation).mark)
    assert all(before != after for before, after in itertools.pairwise(marks))
    assert marks[-1] == world.watcher.snapshot(explanation).mark


def test_events_are_read_from_a_token_on_by_any_replica() -> None:
    world = World()
    explanation = world.create()
    world.work(tasks=2)
    seen = world.watcher.events(explanation, after="")
    world.work()
    later = world.watcher.events(explanation, after=seen[-1].token)
    assert [event.fields["kind"] for event in later][-1] == "state"
    assert world.watcher.events(explanation, after="") == seen + later


def test_without_a_board_the_blobs_tell() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.board.is_down = True
    assert world.watcher.events(explanation, after="") == ()
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.state is ExplanationState.SUCCEEDED
    assert not snapshot.is_settled  # fidelity is still to come


def test_an_explanation_that_was_deleted_and_asked_for_again_is_announced_again() -> None:
    world = World()
    explanation = world.create()
    world.work()
    world.forgetter.delete(explanation)
    world.now += 1.0
    world.create()
    assert world.kinds(explanation).count("state") == 2


def test_a_cancelled_explanation_is_settled_and_has_no_maps() -> None:
    world = World()
    explanation = world.create()
    world.work(tasks=2)
    world.completion.cancel(explanation)
    snapshot = world.watcher.snapshot(explanation)
    assert snapshot.is_settled
    assert snapshot.maps == ()


def test_maps_are_left_out_of_lists() -> None:
    world = World()
    explanation = world.create(method=MethodName.ACTIVATION)
    assert world.watcher.snapshot(explanation, with_maps=False).maps == ()
    assert len(world.watcher.snapshot(explanation).maps) == 1
