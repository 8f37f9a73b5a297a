"""The figures of simulated relevance feedback."""

from dataclasses import dataclass

from xmirad.evaluation.report_parts import Failure
from xmirad.metrics.bootstrap import Estimate


@dataclass(frozen=True, slots=True)
class FeedbackRound:
    """What is found after a round of feedback, over rankings without the items judged so far.

    Attributes:
        round: Which round, from 1.
        queries: Queries with figures.
        dropped_queries: Queries that no relevant item is left for, and which are not among these.
        judged_items: How many items a reader has judged so far, on average.
        mean_average_precision: With feedback.
        precision_at_10: With feedback.
        mean_average_precision_without: Of the first ranking, without the same items.
        precision_at_10_without: Of the first ranking, without the same items.
        mean_average_precision_gain: The difference, paired by query.
        precision_at_10_gain: The difference, paired by query.
    """

    round: int
    queries: int
    dropped_queries: int
    judged_items: float
    mean_average_precision: Estimate
    precision_at_10: Estimate
    mean_average_precision_without: Estimate
    precision_at_10_without: Estimate
    mean_average_precision_gain: Estimate
    precision_at_10_gain: Estimate


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """What relevance feedback gains.

    Attributes:
        rounds: The rounds, in order; fewer than asked for where no query had a relevant item left.
        shown: How many results a reader looks at in a round.
        queries: How many queries were answered in every round.
        failures: The searches that failed; their queries count in no later round.
    """

    rounds: tuple[FeedbackRound, ...]
    shown: int
    queries: int
    failures: tuple[Failure, ...]
