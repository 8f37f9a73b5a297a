"""What of a stream is under way."""

import threading
import time

import pytest

from xmirad.client.window import Window
from xmirad.errors import InternalError, InvalidRequestError


def test_a_full_window_has_room_again_after_an_answer() -> None:
    window = Window(1)
    window.add("a")
    room = threading.Event()
    waiting = threading.Thread(target=lambda: room.set() if window.wait_for_room() else None)
    waiting.start()

    assert not room.wait(0.02)
    window.remove("a")
    assert room.wait(2)
    waiting.join()


def test_closing_lets_the_sender_go() -> None:
    window = Window(1)
    window.add("a")
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(window.wait_for_room()))
    waiting.start()
    window.close()
    waiting.join(2)

    assert answers == [False]
    assert not window.wait_for_room()


def test_the_unanswered_are_named_oldest_first() -> None:
    window = Window(4)
    for name in "abc":
        window.add(name)
    window.remove("b")

    assert window.unanswered() == ("a", "c")


def test_what_the_sender_is_about_to_read_is_waited_for() -> None:
    window = Window(4)
    assert window.wait_for_room()
    reading = threading.Timer(0.03, window.add, args=("late",))
    reading.start()

    assert window.unanswered(settle_seconds=2) == ("late",)
    reading.join()


def test_waiting_for_the_sender_has_an_end() -> None:
    window = Window(4)
    assert window.wait_for_room()

    assert window.unanswered(settle_seconds=0.01) == ()


@pytest.mark.parametrize("name", ["", "a", "x" * 129])
def test_a_correlation_id_that_tells_nothing_apart_is_refused(name: str) -> None:
    window = Window(4)
    window.add("a")

    with pytest.raises(InvalidRequestError) as caught:
        window.add(name)
    assert caught.value.field == "correlation_id"


def test_an_answer_to_nothing_is_refused() -> None:
    with pytest.raises(InternalError):
        Window(4).remove("a")


def test_only_everything_sent_and_answered_is_settled() -> None:
    window = Window(4)
    assert not window.is_settled
    window.add("a")
    window.all_sent()
    assert not window.is_settled
    window.remove("a")
    assert window.is_settled


def test_silence_counts_only_while_the_receiver_waits_and_an_answer_is_owed() -> None:
    window = Window(4)

    def silence() -> bool:
        time.sleep(0.002)
        return window.silence_seconds() > 0

    assert not silence()
    window.set_waiting(True)
    assert not silence()
    window.add("a")
    assert silence()
    window.set_waiting(False)
    assert not silence()
    window.set_waiting(True)
    window.remove("a")
    assert not silence()
    window.all_sent()
    assert silence()
