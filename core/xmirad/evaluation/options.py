"""How an evaluation is run, and how it tells how far it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, Method, OcclusionMethod


class Stage(StrEnum):
    """What an evaluation is doing, or was doing when something failed."""

    UPLOAD = "upload"
    SEARCH = "search"
    EXPLAIN = "explain"
    FEEDBACK = "feedback"


class Progress(Protocol):
    """Is told after every image or explained pair how many of a stage are done, and how many of these failed."""

    def __call__(self, stage: Stage, done: int, total: int, failed: int = 0) -> None:
        """Note the progress."""


class Silence:
    """Progress that nobody wants to know."""

    def __call__(self, stage: Stage, done: int, total: int, failed: int = 0) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class SaliencyOptions:
    """How the maps of first results are evaluated.

    Attributes:
        queries_per_class: How many queries of each class are drawn, at least 1; None: all are taken.
        control: Model of random weights, by short name or digest, that is evaluated beside; empty: none.
        methods: The methods, in the order of the report.
        in_flight: How many pairs are explained at a time; each has one explanation under way.
        patience_seconds: How long to wait for room in the queue, and for a finished map's fidelity.
        pause_seconds: How long to wait before looking again.
    """

    queries_per_class: int | None = 10
    control: str = ""
    methods: tuple[Method, ...] = (OcclusionMethod(), AttentionMethod(), ActivationMethod())
    in_flight: int = 4
    patience_seconds: float = 1_800.0
    pause_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How an evaluation is run.

    Attributes:
        model: Model by short name or digest; empty means the service's default.
        fresh: Delete the evaluation's archive first, if it is there.
        keep: Keep the archive afterwards, so that the next evaluation only checks it.
        command: The command that repeats the evaluation, for the report.
        seed: Seed of the bootstrap, and of the drawing of queries to explain.
        resamples: How often the bootstrap draws.
        upload_window: How many uploads may be unanswered.
        search_window: How many searches may be unanswered.
        max_whole_ranking: Largest archive of which every query ranks all items.
        cutoff: How many results are ranked in a larger archive; every figure then says so in its name.
        examples: How many best and how many worst queries of a class are shown.
        example_results: How many results of each are shown.
        saliency: How the maps of first results are evaluated; None: they are not.
        feedback_rounds: For how many rounds a simulated reader gives feedback; 0: none does.
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
    saliency: SaliencyOptions | None = None
    feedback_rounds: int = 0
