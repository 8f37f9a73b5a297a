"""What a comparison found, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.evaluation.report_parts import Digests, ModelSummary, Protocol
from xmirad.metrics.bootstrap import Estimate


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of the two runs.

    Attributes:
        model: Its model.
        dataset: Name of its data set.
        archive: Resource name of its archive.
        digests: What exactly was evaluated.
        created: When, ISO 8601 in UTC.
        command: The command that repeats it.
        query_count: How many queries it has figures of.
    """

    model: ModelSummary
    dataset: str
    archive: str
    digests: Digests
    created: str
    command: str
    query_count: int


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """A figure in both runs, over the same queries.

    Attributes:
        first: Its mean in the first run.
        second: Its mean in the second run.
        difference: Second minus first, with its 95 % percentile bootstrap interval over queries.
        p_value: Two-sided, by the randomization test of `xmirad.metrics.pairing`; never 0.
    """

    first: float
    second: float
    difference: Estimate
    p_value: float


@dataclass(frozen=True, slots=True)
class ComparedGroup:
    """Queries that were compared.

    Attributes:
        name: `overall`, or their class.
        query_count: How many there are.
        figures: The figures, by the names of `xmirad.evaluation.figures`.
    """

    name: str
    query_count: int
    figures: Mapping[str, ComparedFigure]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first: The first run.
        second: The second run.
        protocol: What the queries of both were ranked against.
        seed: Seed of the bootstrap.
        resamples: How often it drew.
        groups: Overall, then class by class.
        notes: What must be known to read the figures, one sentence each.
    """

    first: ComparedRun
    second: ComparedRun
    protocol: Protocol
    seed: int
    resamples: int
    groups: tuple[ComparedGroup, ...]
    notes: tuple[str, ...]
