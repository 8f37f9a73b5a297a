"""Whether the confidence of the label that the nearest items vote for can be believed.

The temperature of the vote is fitted on validation queries, ranked as the evaluated ones are. Without any, the
evaluated queries are divided into folds, all images of a patient in one, and each fold is judged with the temperature
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
from xmirad.evidence import fit_temperature, label_confidences
from xmirad.metrics.average_precision import BoolArray
from xmirad.metrics.bootstrap import CONFIDENCE, Estimate, bootstrap_interval
from xmirad.metrics.calibration import expected_calibration_error, reliability

FOLDS = 5
UNFITTED = 1.0
_FOLD_STREAM, _DRAW_STREAM = 0xF01D, 0xCA1B


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """Queries that carry a label and have neighbors that do.

    Attributes:
        scores: `[Q, K]`, scores of the neighbors.
        labels: `[Q, K, L]`, labels of the neighbors.
        truth: `[Q, L]`, labels of the queries.
        groups: `[Q]`, what must not be divided: a number for each patient, one of its own where none is known.
    """

    scores: Float64Array
    labels: BoolArray
    truth: BoolArray
    groups: IntArray

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def group_count(self) -> int:
        return len(np.unique(self.groups))

    def some(self, which: BoolArray) -> "_Votes":
        return _Votes(self.scores[which], self.labels[which], self.truth[which], self.groups[which])

    def fitted(self) -> float:
        return fit_temperature(self.scores, self.labels, self.truth)

    def answers(self, temperature: float) -> tuple[Float64Array, BoolArray]:
        """Return the confidence of each query's first label, and whether the query carries it."""
        confidences = label_confidences(self.scores, self.labels, temperature=temperature)
        best = np.argmax(confidences, axis=1)
        rows = np.arange(len(best))
        return confidences[rows, best], self.truth[rows, best]


def calibration(collector: Collector, validation: Answers | None, options: EvaluationOptions) -> Calibration | None:
    """Judge the confidences of the evaluated queries.

    Args:
        collector: The evaluated queries.
        validation: The answers to fit the temperature on; None: the evaluated queries are divided into folds.
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
        temperatures, (confidences, correct) = _by_folds(votes, seed=options.seed)
    else:
        temperatures = (fitting.fitted(),)
        confidences, correct = votes.answers(temperatures[0])
    return Calibration(
        fitted_on=f"{len(temperatures)} folds of the queries"
        if validation is None
        else _described(validation, fitting),
        temperatures=temperatures,
        query_count=len(votes),
        accuracy=bootstrap_interval(correct, seed=options.seed, resamples=options.resamples),
        confidence=float(np.mean(confidences)),
        before=_reliability(*votes.answers(UNFITTED), options=options),
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
    return _Votes(
        scores=np.array([each.study.scores for each in queries]),
        labels=np.array([each.study.labels for each in queries], dtype=np.bool_),
        truth=np.array([known.has_label[each.query] for each in queries], dtype=np.bool_).reshape(-1, width),
        groups=np.array([alone + place if p == UNKNOWN else p for place, p in enumerate(patients)], dtype=np.intp),
    )


def _by_folds(votes: _Votes, *, seed: int) -> tuple[tuple[float, ...], tuple[Float64Array, BoolArray]]:
    fold_of = _folds(votes.groups, seed=seed)
    confidences, correct = np.zeros(len(votes)), np.zeros(len(votes), dtype=np.bool_)
    temperatures = []
    for fold in np.unique(fold_of):
        inside = fold_of == fold
        temperature = votes.some(~inside).fitted()
        temperatures.append(temperature)
        confidences[inside], correct[inside] = votes.some(inside).answers(temperature)
    return tuple(temperatures), (confidences, correct)


def _folds(groups: IntArray, *, seed: int) -> IntArray:
    """Deal the groups out, largest first and each to the smallest fold, in an order that depends on the seed."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng([seed, _FOLD_STREAM]).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(FOLDS, dtype=np.intp)
    fold_of_name = np.zeros(len(names), dtype=np.intp)
    for name in order:
        fold = int(np.argmin(filled))
        fold_of_name[name] = fold
        filled[fold] += sizes[name]
    found: IntArray = fold_of_name[np.searchsorted(names, groups)]
    return found


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
