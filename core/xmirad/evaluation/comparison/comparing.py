"""Comparing two reports query by query."""

from collections.abc import Sequence

import numpy as np

from xmirad.evaluation.comparison.findings import ComparedFigure, ComparedGroup, ComparedRun, Comparison
from xmirad.evaluation.comparison.matching import digests_of, matched
from xmirad.evaluation.figures import CUTOFFS, MAP, MAP_XMIR
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_parts import QueryRecord
from xmirad.metrics.pairing import RESAMPLES, paired_differences

Pairs = Sequence[tuple[QueryRecord, QueryRecord]]


def compare(
    first: EvaluationReport, second: EvaluationReport, *, seed: int = 0, resamples: int = RESAMPLES
) -> Comparison:
    """Compare the figures of the queries that two reports have in common.

    Args:
        first: The report to start from.
        second: The report to hold against it; differences are second minus first.
        seed: Equal seeds give equal intervals and p-values.
        resamples: How often the bootstrap draws.

    Raises:
        InvalidRequestError: If the reports cannot be compared (`matching.matched`).
    """
    same = matched(first, second)
    names = _figure_names(first)
    labels = sorted({label for one, _ in same.pairs for label in one.labels})
    groups = [_group("overall", same.pairs, names, seed=seed, resamples=resamples)]
    for label in labels:
        members = [pair for pair in same.pairs if label in pair[0].labels]
        groups.append(_group(label, members, names, seed=seed, resamples=resamples))
    return Comparison(
        first=_run(first),
        second=_run(second),
        protocol=first.protocol,
        seed=seed,
        resamples=resamples,
        groups=tuple(groups),
        notes=same.notes,
    )


def _figure_names(report: EvaluationReport) -> tuple[str, ...]:
    suffix = "" if report.cutoff is None else f"_at_{report.cutoff}"
    return (MAP + suffix, MAP_XMIR + suffix, *(f"precision_at_{k}" for k in CUTOFFS))


def _group(name: str, pairs: Pairs, names: Sequence[str], *, seed: int, resamples: int) -> ComparedGroup:
    first = np.array([[one.figures[figure] for figure in names] for one, _ in pairs])
    second = np.array([[other.figures[figure] for figure in names] for _, other in pairs])
    differences = paired_differences(first, second, seed=seed, resamples=resamples)
    rows = zip(names, np.mean(first, axis=0), np.mean(second, axis=0), differences, strict=True)
    figures = {
        figure: ComparedFigure(float(ours), float(theirs), paired.difference, paired.p_value)
        for figure, ours, theirs, paired in rows
    }
    return ComparedGroup(name, len(pairs), figures)


def _run(report: EvaluationReport) -> ComparedRun:
    return ComparedRun(
        model=report.model,
        dataset=report.dataset.name,
        archive=report.archive,
        digests=digests_of(report),
        created=report.created,
        command=report.command,
        query_count=len(report.queries),
    )
