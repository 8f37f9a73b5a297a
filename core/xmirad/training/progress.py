"""What training tells of itself while it runs."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch that is over.

    Attributes:
        number: Counted from 1; 0 is the network before any training.
        loss: Mean loss of its steps; None before training.
        validation_map: Mean average precision of the images to validate with, 0 to 1.
        learning_rate: The backbone's, at its end.
        seconds: How long it took, with validation.
    """

    number: int
    loss: float | None
    validation_map: float
    learning_rate: float
    seconds: float


class Progress(Protocol):
    """Is told how far training is."""

    def decoded(self, done: int, total: int) -> None:
        """Note that so many images are decoded."""

    def resumed(self, step: int) -> None:
        """Note that training goes on behind a step that an earlier run had finished."""

    def stepped(self, done: int, total: int) -> None:
        """Note that so many steps are done, of at most so many."""

    def finished(self, epoch: Epoch, *, best: bool) -> None:
        """Note an epoch's figures, and whether its validation figure is the best so far."""
