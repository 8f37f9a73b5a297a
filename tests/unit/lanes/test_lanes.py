"""Lanes: priorities, the worker left free for readers, errors, cancelling and closing."""

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from xmirad import lanes
from xmirad.lanes import Lane, Priority

WAIT_SECONDS = 5.0


class Gate:
    """A call that waits until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.open.wait(WAIT_SECONDS)
        return "done"


def test_results_and_errors_reach_the_caller() -> None:
    lane = Lane("test", workers=1)

    async def use() -> None:
        assert await lane.run(Priority.INTERACTIVE, lambda a, b: a + b, 1, 2) == 3
        with pytest.raises(ZeroDivisionError):
            await lane.run(Priority.BACKGROUND, lambda: 1 / 0)

    asyncio.run(use())
    lane.close()


def test_interactive_calls_overtake_waiting_background_calls() -> None:
    lane, gate, order = Lane("test", workers=1), Gate(), []
    lane.submit(Priority.BACKGROUND, gate)
    assert gate.begun.wait(WAIT_SECONDS)
    background = lane.submit(Priority.BACKGROUND, lambda: order.append("background"))
    interactive = lane.submit(Priority.INTERACTIVE, lambda: order.append("interactive"))
    gate.open.set()
    interactive.result(WAIT_SECONDS)
    background.result(WAIT_SECONDS)
    lane.close()
    assert order == ["interactive", "background"]


def test_background_calls_use_every_worker_while_no_reader_is_about() -> None:
    lane, gates = Lane("test", workers=2), [Gate(), Gate()]
    for gate in gates:
        lane.submit(Priority.BACKGROUND, gate)
    both = [gate.begun.wait(WAIT_SECONDS) for gate in gates]
    for gate in gates:
        gate.open.set()
    lane.close()
    assert both == [True, True]


def test_background_calls_leave_a_worker_free_while_readers_are_about() -> None:
    lane, gates = Lane("test", workers=2), [Gate(), Gate()]
    lane.submit(Priority.INTERACTIVE, lambda: None).result(WAIT_SECONDS)
    for gate in gates:
        lane.submit(Priority.BACKGROUND, gate)
    assert gates[0].begun.wait(WAIT_SECONDS)
    assert lane.submit(Priority.INTERACTIVE, lambda: "at once").result(WAIT_SECONDS) == "at once"
    held_back = not gates[1].begun.is_set()
    for gate in gates:
        gate.open.set()
    lane.close()
    assert held_back


def test_held_back_calls_run_when_the_readers_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "READER_PRESENCE_SECONDS", 0.05)
    lane, gates = Lane("test", workers=2), [Gate(), Gate()]
    lane.submit(Priority.INTERACTIVE, lambda: None).result(WAIT_SECONDS)
    for gate in gates:
        lane.submit(Priority.BACKGROUND, gate)
    both = [gate.begun.wait(WAIT_SECONDS) for gate in gates]
    for gate in gates:
        gate.open.set()
    lane.close()
    assert both == [True, True]


def test_a_cancelled_call_that_waits_never_runs() -> None:
    lane, gate = Lane("test", workers=1), Gate()
    ran: list[int] = []
    lane.submit(Priority.INTERACTIVE, gate)
    assert gate.begun.wait(WAIT_SECONDS)

    async def cancel() -> None:
        task = asyncio.create_task(lane.run(Priority.INTERACTIVE, ran.append, 1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    gate.open.set()
    lane.submit(Priority.INTERACTIVE, lambda: None).result(WAIT_SECONDS)
    lane.close()
    assert ran == []


def test_closing_cancels_what_waits_and_refuses_what_comes() -> None:
    lane, gate = Lane("test", workers=1), Gate()
    running = lane.submit(Priority.INTERACTIVE, gate)
    assert gate.begun.wait(WAIT_SECONDS)
    waiting = lane.submit(Priority.INTERACTIVE, lambda: None)
    closer = threading.Thread(target=lane.close)
    closer.start()
    with pytest.raises(CancelledError):
        waiting.result(WAIT_SECONDS)
    gate.open.set()
    closer.join(WAIT_SECONDS)
    assert running.result() == "done"
    with pytest.raises(RuntimeError, match="closed"):
        lane.submit(Priority.INTERACTIVE, lambda: None)
