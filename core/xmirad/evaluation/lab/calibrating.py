"""Whether the confidence of the label that the nearest items vote for can be believed.

Temperature and pseudo-count of the vote are fitted on validation queries, ranked as the evaluated ones are. Without
any, the evaluated queries are divided into folds, all images of a patient in one, and each fold is judged with the vote
that was fitted on the others: never with one that was fitted to its own labels. (Its items still are neighbors of the
others.)
"""

from dataclasses import dataclass

import numpy as np

from xmirad.evaluation.answering import Answers
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.figures import Float64Array
from xmirad.evaluation.lab.findings import Calibration, Reliability
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.truth import UNKNOWN, IntArray
from xmirad.evidence.fitting import FOLDS, LabeledNeighbors, deal_into_folds, fit_vote, held_out_answers
from xmirad.evidence.voting import UNFITTED
from xmirad.metrics.average_precision import BoolArray
from xmirad.metrics.bootstrap import CONFIDENCE, Estimate, bootstrap_interval
from xmirad.metrics.calibration import expected_calibration_error, reliability

_DRAW_STREAM = 0xCA1B


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """Queries that carry a label and have neighbors that do.

    Attributes:
        found: The queries and their neighbors.
        groups: `[Q]`, what must not be divided: a number for each patient, one of its own where none is known.
    """

    found: LabeledNeighbors
    groups: IntArray

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def group_count(self) -> int:
        return len(np.unique(self.groups))


def calibration(collector: Collector, validation: Answers | None, options: EvaluationOptions) -> Calibration | None:
    """Judge the confidences of the evaluated queries.

    Args:
        collector: The evaluated queries.
        validation: The answers to fit the vote on; None: the evaluated queries are divided into folds.
        options: Seed and number of draws of the bootstrap.

    Returns:
        None where there are too few queries with labels and labeled neighbors, or all that could be divided are of one
        patient.
    """
    votes = _votes(collector)
    fitting = None if validation is None else _votes(validation.collector)
    is_fitted = votes.group_count > 1 if fitting is None else len(fitting) > 0
    if len(votes) < FOLDS or not is_fitted:
        return None
    if fitting is None:
        folds = deal_into_folds(votes.groups, seed=options.seed)
        fitted, confidences, correct = held_out_answers(votes.found, folds)
    else:
        fitted = (fit_vote(fitting.found),)
        confidences, correct = votes.found.answers(fitted[0])
    return Calibration(
        fitted_on=f"{len(fitted)} folds of the queries" if validation is None else _described(validation, fitting),
        temperatures=tuple(vote.temperature for vote in fitted),
        pseudo_counts=tuple(vote.pseudo_count for vote in fitted),
        query_count=len(votes),
        accuracy=bootstrap_interval(correct, seed=options.seed, resamples=options.resamples),
        confidence=float(np.mean(confidences)),
        before=_reliability(*votes.found.answers(UNFITTED), options=options),
        after=_reliability(confidences, correct, options=options),
    )


def _described(validation: Answers, fitting: "_Votes | None") -> str:
    identical = len(validation.asked.identical)
    without = f" ({identical} left out: byte for byte an item of the archive)" if identical else ""
    return f"{len(fitting or ())} queries of {validation.asked.dataset.name}{without}"


def _votes(collector: Collector) -> _Votes:
    known = collector.truth.queries
    queries = [each for each in collector.in_order if known.has_label[each.query].any() and each.study.labels.any()]
    patients = [int(known.patients[each.query]) for each in queries]
    alone = len(known)  # beyond every patient's number
    width = len(collector.truth.labels)
    found = LabeledNeighbors(
        np.array([each.study.scores for each in queries]).reshape(len(queries), -1),
        np.array([each.study.labels for each in queries], dtype=np.bool_).reshape(len(queries), -1, width),
        np.array([known.has_label[each.query] for each in queries], dtype=np.bool_).reshape(-1, width),
    )
    return _Votes(
        found=found,
        groups=np.array([alone + place if p == UNKNOWN else p for place, p in enumerate(patients)], dtype=np.intp),
    )


def _reliability(confidences: Float64Array, correct: BoolArray, *, options: EvaluationOptions) -> Reliability:
    generator = np.random.default_rng([options.seed, _DRAW_STREAM])
    draws = [
        expected_calibration_error(confidences[drawn], correct[drawn])
        for drawn in generator.integers(len(correct), size=(options.resamples, len(correct)))
    ]
    tail = (1 - CONFIDENCE) / 2
    found = expected_calibration_error(confidences, correct)
    low, high = found + np.quantile(draws, [tail, 1 - tail]) - np.mean(draws)
    error = Estimate(found, max(0.0, float(low)), min(1.0, float(high)))
    return Reliability(error, reliability(confidences, correct))
