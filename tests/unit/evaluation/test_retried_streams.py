"""Sending again what a busy service did not take."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from xmirad.errors import BackendUnavailableError, InvalidImageError, OverloadedError, XmiradError
from xmirad.evaluation.uploading import ROUNDS, retried


@dataclass(frozen=True)
class Answer:
    correlation_id: str
    error: XmiradError | None = None


class Busy:
    """A stream in which some requests fail a number of times."""

    def __init__(self, failing: dict[int, tuple[XmiradError, int]]) -> None:
        self.failing = failing
        self.rounds: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> Iterator[Answer]:
        self.rounds.append(list(numbers))
        for number in reversed(numbers):
            error, times = self.failing.get(number, (None, 0))
            yield Answer(str(number), error if len(self.rounds) <= times else None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.mark.parametrize("error", [BackendUnavailableError, OverloadedError])
def test_only_what_was_not_taken_is_sent_again_after_the_pause(error: type[XmiradError], pauses: list[float]) -> None:
    stream = Busy({1: (error("busy", retry_delay_seconds=2.0), 2)})
    answers = list(retried(range(3), stream))
    assert sorted(answer.correlation_id for answer in answers) == ["0", "1", "2"]
    assert not any(answer.error for answer in answers)
    assert (stream.rounds, pauses) == ([[0, 1, 2], [1], [1]], [2.0, 2.0])


def test_what_is_never_taken_fails_in_the_end(pauses: list[float]) -> None:
    error = BackendUnavailableError("busy")
    stream = Busy({0: (error, ROUNDS)})
    assert [answer.error for answer in retried([0], stream)] == [error]
    assert (len(stream.rounds), len(pauses)) == (ROUNDS, ROUNDS - 1)


def test_what_is_refused_is_not_sent_again(pauses: list[float]) -> None:
    stream = Busy({0: (InvalidImageError("no image"), ROUNDS)})
    assert [answer.correlation_id for answer in retried([0, 1], stream)] == ["1", "0"]
    assert (stream.rounds, pauses) == ([[0, 1]], [])
