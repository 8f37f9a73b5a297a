"""Choosing the queries worth looking at: the best and the worst of each class."""

from collections.abc import Sequence

from xmirad.evaluation.asking import Asked
from xmirad.evaluation.collecting import Collector, QueryFigures
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.report import Example, ExampleResult
from xmirad.evaluation.uploading import FilledArchive
from xmirad.metrics.average_precision import BoolArray

MAX_CLASSES = 8
BEST, WORST = "best", "worst"


def choose_examples(
    collector: Collector, asked: Asked, archive: FilledArchive, *, options: EvaluationOptions
) -> tuple[Example, ...]:
    """Return the best, then the worst queries of each of the eight largest classes, by average precision.

    Args:
        collector: The figures of all queries.
        asked: The queries.
        archive: What they were ranked against.
        options: How many are wanted.
    """
    truth = collector.truth
    sizes = truth.queries.has_label.sum(axis=0)
    largest = sorted(range(len(truth.labels)), key=lambda label: (-sizes[label], truth.labels[label]))[:MAX_CLASSES]
    examples: dict[tuple[str, int], Example] = {}
    for kind in (BEST, WORST):
        for label in sorted(largest):
            members = [each for each in collector.queries.values() if truth.queries.has_label[each.query, label]]
            for each in _extreme(members, kind, count=options.examples):
                relevant = truth.relevant(each.query)
                example = _example(kind, each, relevant=relevant, asked=asked, archive=archive)
                examples.setdefault((kind, each.query), example)
    return tuple(examples.values())


def _extreme(queries: Sequence[QueryFigures], kind: str, *, count: int) -> list[QueryFigures]:
    sign = -1 if kind == BEST else 1
    scored = [(sign * float(each.values[0]), each.query, each) for each in queries if each.values is not None]
    return [each for _, _, each in sorted(scored, key=lambda entry: entry[:2])[:count]]


def _example(kind: str, query: QueryFigures, *, relevant: BoolArray, asked: Asked, archive: FilledArchive) -> Example:
    item = asked.images[query.query].item
    results = tuple(
        ExampleResult(
            item=archive.indices[position],
            file=archive.images[position].item.path.name,
            labels=archive.images[position].item.attributes.labels,
            score=float(score),
            relevant=bool(relevant[position]),
        )
        for position, score in zip(query.first.ranking, query.first.scores, strict=True)
    )
    average_precision = float(query.values[0]) if query.values is not None else 0.0
    return Example(kind, asked.indices[query.query], item.path.name, item.attributes.labels, average_precision, results)
