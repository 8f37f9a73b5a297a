"""Telling images that the archive knows nothing of by their mean distance to the nearest items."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xmirad.evaluation.asking import Asked
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.figures import Float64Array
from xmirad.evaluation.lab.findings import Detection
from xmirad.evaluation.options import EvaluationOptions
from xmirad.metrics.detection import detection_curve, detection_figures

OTHER_DATA, LEFT_OUT = "other data", "left-out class"


def left_out_classes(collector: Collector, options: EvaluationOptions) -> tuple[Detection, ...]:
    """Rank every query against the archive without one class: those of that class should be told from the others.

    Queries without a label take no part. Done with each class in turn, as far as queries of both kinds are left. None
    where only the first results were ranked: what is nearest without a class may not be among them.
    """
    has_label = collector.truth.queries.has_label
    asked = [each for each in collector.in_order if has_label[each.query].any()]
    queries = [(each.query, each.study.distances_without) for each in asked]
    found = []
    for label, name in enumerate(collector.truth.labels):
        known = [(query, distances[label]) for query, distances in queries if distances is not None]
        distances = np.array([distance for _, distance in known])
        outside = np.array([has_label[query, label] for query, _ in known], dtype=np.bool_)
        found.append(_detection(LEFT_OUT, name, distances[~outside], distances[outside], options))
    return tuple(each for each in found if each is not None)


def other_data(
    asked: Asked, collector: Collector, distances: Sequence[float], options: EvaluationOptions
) -> tuple[Detection, ...]:
    """Rank the images of another data set against the archive: they should be told from the evaluated queries.

    Args:
        asked: The other images.
        collector: The evaluated queries.
        distances: Mean distances of the other images to their nearest items.
        options: Seed and number of draws of the bootstrap.

    Returns:
        One detection, or none if there are no images of either kind.
    """
    inside = np.array([each.study.distance for each in collector.in_order])
    found = _detection(OTHER_DATA, asked.dataset.name, inside, np.array(distances), options)
    return () if found is None else (replace(found, identical_count=len(asked.identical)),)


def _detection(
    kind: str, name: str, inside: Float64Array, outside: Float64Array, options: EvaluationOptions
) -> Detection | None:
    inside, outside = inside[~np.isnan(inside)], outside[~np.isnan(outside)]
    if not inside.size or not outside.size:
        return None
    return Detection(
        kind=kind,
        name=name,
        inside_count=inside.size,
        outside_count=outside.size,
        inside_distance=float(np.mean(inside)),
        outside_distance=float(np.mean(outside)),
        figures=detection_figures(inside, outside, seed=options.seed, resamples=options.resamples),
        curve=tuple(map(float, detection_curve(inside, outside))),
    )
