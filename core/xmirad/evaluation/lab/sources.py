"""Whether retrieval follows where an image came from."""

from collections.abc import Callable, Sequence

import numpy as np

from xmirad.evaluation.collecting import Collector, QueryFigures
from xmirad.evaluation.figures import Float64Array
from xmirad.evaluation.grouping import Grouping
from xmirad.evaluation.lab.findings import RestrictedRanking, SourceRecognition, SourceStudy
from xmirad.evaluation.lab.studying import EVERYWHERE, RestrictedFigures
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.truth import UNKNOWN, Truth
from xmirad.metrics.bootstrap import estimates, macro_estimates
from xmirad.metrics.voting import NEIGHBORS

Restriction = Callable[[QueryFigures], RestrictedFigures | None]


def source_study(collector: Collector, options: EvaluationOptions) -> SourceStudy | None:
    """Return what is to be said of sources; None where the archive's items have fewer than two."""
    truth = collector.truth
    if np.unique(truth.items.source_of[truth.items.source_of != UNKNOWN]).size < 2:
        return None
    grouping = Grouping(collector, options)
    known = [each for each in collector.in_order if truth.queries.source_of[each.query] != UNKNOWN]
    rankings: tuple[RestrictedRanking, ...] = ()
    if collector.figures.cutoff is None:
        rankings = (
            _ranking("same source", known, grouping, collector, lambda each: each.study.same_source),
            _ranking("other sources", known, grouping, collector, lambda each: each.study.other_sources),
        )
    found = [_recognition("overall", EVERYWHERE, known, truth, options)]
    for label, name in enumerate(truth.labels):
        members = [each for each in known if truth.queries.has_label[each.query, label]]
        found.append(_recognition(name, label, members, truth, options))
    return SourceStudy(rankings, tuple(each for each in found if each is not None), NEIGHBORS)


def _ranking(
    name: str, queries: Sequence[QueryFigures], grouping: Grouping, collector: Collector, restricted: Restriction
) -> RestrictedRanking:
    def values(query: QueryFigures) -> Float64Array | None:
        found = restricted(query)
        return None if found is None else found.values

    chances = {each.query: found.chance for each in queries if (found := restricted(each)) is not None}
    has_label = collector.truth.queries.has_label
    by_class = {
        label: [chance for query, chance in chances.items() if has_label[query, number]]
        for number, label in enumerate(collector.truth.labels)
    }
    return RestrictedRanking(
        name=name,
        overall=grouping.group("overall", queries, values=values, figures=collector.figures),
        classes=grouping.by_class(values, collector.figures),
        chance=float(np.mean(list(chances.values()))) if chances else None,
        class_chances={label: float(np.mean(some)) for label, some in by_class.items() if some},
        dropped_queries=len(queries) - len(chances),
    )


def _recognition(
    name: str, label: int, queries: Sequence[QueryFigures], truth: Truth, options: EvaluationOptions
) -> SourceRecognition | None:
    """Return how well sources are told among the items of a label, or everywhere; None of fewer than two sources."""
    answered = [each for each in queries if label in each.study.source_votes]
    sources = np.array([truth.queries.source_of[each.query] for each in answered], dtype=np.intp)
    present, frequency = np.unique(sources, return_counts=True)
    if len(present) < 2:
        return None
    right = sources == np.array([each.study.source_votes[label] for each in answered])
    groups = [right[sources == source].astype(np.float64)[:, None] for source in present]
    seed, resamples = options.seed, options.resamples
    return SourceRecognition(
        name=name,
        query_counts={truth.sources[source]: int(count) for source, count in zip(present, frequency, strict=True)},
        accuracy=estimates(right.astype(np.float64)[:, None], seed=seed, resamples=resamples)[0],
        majority=float(frequency.max() / len(sources)),
        balanced_accuracy=macro_estimates(groups, seed=seed, resamples=resamples)[0],
        balanced_chance=1 / len(present),
        dropped_queries=len(queries) - len(answered),
    )
