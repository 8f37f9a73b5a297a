"""Lanes: priorities, the worker left free for readers, errors, cancelling and closing."""

import asyncio
import threading
from concurrent.futures import CancelledError
from contextvars import ContextVar

import pytest

from xmirad import lanes
from xmirad.errors import BackendUnavailableError, InternalError
from xmirad.lanes import Lane, Priority, Turns

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
    with pytest.raises(BackendUnavailableError):
        lane.submit(Priority.INTERACTIVE, lambda: None)


class Panic(BaseException):
    """As what pyo3 raises when Rust panics."""


def fail(error: BaseException) -> None:
    raise error


def test_a_panic_reaches_the_caller_as_an_error_and_the_lane_goes_on() -> None:
    async def use() -> None:
        with pytest.raises(InternalError) as caught:
            await lane.run(Priority.BACKGROUND, fail, Panic("index out of bounds"))
        assert isinstance(caught.value.__cause__, Panic)
        assert await lane.run(Priority.BACKGROUND, lambda: "next") == "next"

    lane = Lane("test", workers=1)
    asyncio.run(use())
    lane.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_keeps_its_meaning(error: type[BaseException]) -> None:
    lane = Lane("test", workers=1)
    with pytest.raises(error):
        asyncio.run(lane.run(Priority.BACKGROUND, fail, error()))
    lane.close()


def test_a_call_that_a_closing_lane_drops_fails_for_its_caller_and_cancels_nobody() -> None:
    async def use() -> None:
        running = asyncio.create_task(lane.run(Priority.INTERACTIVE, gate))
        await asyncio.to_thread(gate.begun.wait, WAIT_SECONDS)
        dropped = asyncio.create_task(lane.run(Priority.INTERACTIVE, lambda: None))
        cancelled = asyncio.create_task(lane.run(Priority.INTERACTIVE, lambda: None))
        await asyncio.sleep(0)
        cancelled.cancel()
        closing = asyncio.create_task(asyncio.to_thread(lane.close))
        with pytest.raises(BackendUnavailableError):
            await dropped
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        gate.open.set()
        assert await running == "done"
        await closing

    lane, gate = Lane("test", workers=1), Gate()
    asyncio.run(use())


def test_background_calls_of_several_lanes_take_turns_while_readers_are_about() -> None:
    async def use() -> None:
        turns, gate = Turns(1), Gate()
        first, second = (Lane("test", workers=1, turns=turns) for _ in range(2))
        turns.reader_is_here()
        running = asyncio.create_task(first.run(Priority.BACKGROUND, gate))
        await asyncio.to_thread(gate.begun.wait, WAIT_SECONDS)
        waiting = asyncio.create_task(second.run(Priority.BACKGROUND, lambda: "background"))

        assert await second.run(Priority.INTERACTIVE, lambda: "reader") == "reader"
        assert not waiting.done()

        gate.open.set()
        assert await running == "done"
        assert await waiting == "background"
        first.close()
        second.close()

    asyncio.run(use())


def test_background_calls_take_no_turns_while_no_reader_is_about() -> None:
    async def use() -> None:
        turns, gate = Turns(1), Gate()
        first, second = (Lane("test", workers=1, turns=turns) for _ in range(2))
        running = asyncio.create_task(first.run(Priority.BACKGROUND, gate))
        await asyncio.to_thread(gate.begun.wait, WAIT_SECONDS)

        assert await second.run(Priority.BACKGROUND, lambda: "background") == "background"

        gate.open.set()
        await running
        first.close()
        second.close()

    asyncio.run(use())


def test_one_who_waits_for_a_turn_can_be_cancelled_and_takes_none_along() -> None:
    async def use() -> None:
        turns = Turns(1)
        turns.reader_is_here()

        async def hold() -> str:
            async with turns.one():
                return "held"

        async with turns.one():
            cancelled, patient = asyncio.create_task(hold()), asyncio.create_task(hold())
            await asyncio.sleep(0)
            cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await asyncio.wait_for(patient, WAIT_SECONDS) == "held"

    asyncio.run(use())


def test_all_who_wait_go_on_when_the_readers_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use() -> None:
        turns, inside = Turns(1), asyncio.Barrier(3)
        turns.reader_is_here()

        async def hold() -> None:
            async with turns.one():
                await inside.wait()  # passes only when all are inside at the same time

        async with turns.one():
            waiting = [asyncio.create_task(hold()) for _ in range(3)]
            await asyncio.sleep(0)
            monkeypatch.setattr(lanes, "READER_PRESENCE_SECONDS", -1.0)
        await asyncio.wait_for(asyncio.gather(*waiting), WAIT_SECONDS)

    asyncio.run(use())


def test_a_call_sees_the_context_of_whoever_made_it() -> None:
    lane = Lane("test", workers=1)
    request: ContextVar[str] = ContextVar("request", default="none")

    async def use(name: str) -> str:
        request.set(name)
        return await lane.run(Priority.INTERACTIVE, request.get)

    async def all_at_once() -> list[str]:
        return list(await asyncio.gather(use("first"), use("second"), lane.run(Priority.INTERACTIVE, request.get)))

    assert asyncio.run(all_at_once()) == ["first", "second", "none"]
    lane.close()
