"""How an evaluation is run, and how it tells how far it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """What an evaluation is doing, or was doing when something failed."""

    UPLOAD = "upload"
    SEARCH = "search"


class Progress(Protocol):
    """Is told after every image how many of a stage are done."""

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Note the progress."""


class Silence:
    """Progress that nobody wants to know."""

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How an evaluation is run.

    Attributes:
        model: Model by short name or digest; empty means the service's default.
        fresh: Delete the evaluation's archive first, if it is there.
        keep: Keep the archive afterwards, so that the next evaluation only checks it.
        command: The command that repeats the evaluation, for the report.
        seed: Seed of the bootstrap.
        resamples: How often the bootstrap draws.
        upload_window: How many uploads may be unanswered.
        search_window: How many searches may be unanswered.
        max_whole_ranking: Largest archive of which every query ranks all items.
        cutoff: How many results are ranked in a larger archive; every figure then says so in its name.
        examples: How many best and how many worst queries of a class are shown.
        example_results: How many results of each are shown.
    """

    model: str = ""
    fresh: bool = False
    keep: bool = True
    command: str = ""
    seed: int = 0
    resamples: int = 2000
    upload_window: int = 32
    search_window: int = 16
    max_whole_ranking: int = 20_000
    cutoff: int = 10_000
    examples: int = 2
    example_results: int = 5
