"""What is taken from a ranking while it arrives, so that no ranking need be kept."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from xmirad.evaluation.figures import FigureSet, Float64Array
from xmirad.evaluation.replay import RankedQuery
from xmirad.evaluation.truth import UNKNOWN, IntArray, Truth
from xmirad.evidence import distance_to_nearest
from xmirad.metrics.average_precision import BoolArray, chance_average_precision
from xmirad.metrics.precision_recall import interpolated_precision
from xmirad.metrics.voting import majority

NEIGHBORS = 10
EVERYWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class RestrictedFigures:
    """A query's figures over some of the items.

    Attributes:
        values: `[F]`, the figures.
        chance: Mean average precision of random rankings of the same items.
    """

    values: Float64Array
    chance: float


@dataclass(frozen=True, slots=True, eq=False)
class QueryStudy:
    """What is kept of a query. "Neighbors" are its nearest items, without its own patient.

    Attributes:
        curve: `[101]`, its precision-recall curve; None if nothing is relevant.
        same_source: Its figures among the items of its source; None if nothing is relevant there, or not all items
            were ranked.
        other_sources: Its figures among the items of other known sources; None likewise.
        source_votes: The source that its nearest items vote for: under -1 among all of them, under the number of each
            of its labels among those of that label. What cannot be right has no entry.
        scores: `[10]`, scores of its neighbors, -inf where there are fewer.
        labels: `[10, L]`, their labels.
        distance: Mean distance to them; NaN without any.
        distances_without: `[L]`, the same without the items of each label; None if not all items were ranked.
    """

    curve: Float64Array | None
    same_source: RestrictedFigures | None
    other_sources: RestrictedFigures | None
    source_votes: dict[int, int]
    scores: Float64Array
    labels: BoolArray
    distance: float
    distances_without: Float64Array | None


def studied(truth: Truth, figures: FigureSet, ranked: RankedQuery) -> QueryStudy:
    """Take what is needed from the answer to a query."""
    query, ranking = ranked.query, ranked.ranking
    relevant = truth.relevant(query)
    others = ~truth.same_patient(query)[ranking]
    same_source = truth.same_source(query) & _others(truth, query)
    known = truth.queries.source_of[query] != UNKNOWN
    other_sources = known & (truth.items.source_of != UNKNOWN) & ~truth.same_source(query)
    elsewhere = replace(figures, query_in_archive=False)  # the query's own item is not among those of other sources
    scores, labels = _neighbors(truth, ranking[others], ranked.scores[others].astype(np.float64))
    return QueryStudy(
        curve=_curve(relevant, ranked),
        same_source=_restricted(figures, relevant, same_source, ranked=ranked),
        other_sources=_restricted(elsewhere, relevant, other_sources, ranked=ranked),
        source_votes=_source_votes(truth, query, ranking[others]),
        scores=scores,
        labels=labels,
        distance=float(distance_to_nearest(scores[None], neighbors=NEIGHBORS)[0]),
        distances_without=None if figures.cutoff else _distances_without(truth, ranking[others], ranked.scores[others]),
    )


def _others(truth: Truth, query: int) -> BoolArray:
    others = np.ones(len(truth.items), dtype=np.bool_)
    if truth.leave_one_out:
        others[query] = False
    return others


def _distances_without(truth: Truth, ranking: IntArray, scores: npt.NDArray[np.floating]) -> Float64Array:
    without = ~truth.items.has_label[ranking]
    nearest = [_nearest(scores[each]) for each in without.T]
    return distance_to_nearest(np.array(nearest).reshape(-1, NEIGHBORS), neighbors=NEIGHBORS)


def _curve(relevant: BoolArray, ranked: RankedQuery) -> Float64Array | None:
    found, count = relevant[ranked.ranking], int(np.count_nonzero(relevant))
    return interpolated_precision(found, unranked_relevant=count - int(np.count_nonzero(found))) if count else None


def _restricted(
    figures: FigureSet, relevant: BoolArray, allowed: BoolArray, *, ranked: RankedQuery
) -> RestrictedFigures | None:
    count, items = int(np.count_nonzero(relevant & allowed)), int(np.count_nonzero(allowed))
    found = relevant[ranked.ranking][allowed[ranked.ranking]]
    if figures.cutoff is not None or count == 0 or found.size == 0:
        return None
    return RestrictedFigures(figures.of(found, relevant_count=count), chance_average_precision(count, items))


def _source_votes(truth: Truth, query: int, ranking: IntArray) -> dict[int, int]:
    source = truth.queries.source_of[query]
    if source == UNKNOWN:
        return {}
    ranking = ranking[truth.items.source_of[ranking] != UNKNOWN]
    votes: dict[int, int] = {}
    for label in (EVERYWHERE, *np.flatnonzero(truth.queries.has_label[query])):
        among = ranking if label == EVERYWHERE else ranking[truth.items.has_label[ranking, label]]
        sources = truth.items.source_of[among]
        voted = majority(sources)
        if voted is not None and source in sources:
            votes[int(label)] = voted
    return votes


def _neighbors(truth: Truth, ranking: IntArray, scores: Float64Array) -> tuple[Float64Array, BoolArray]:
    labels = np.zeros((NEIGHBORS, len(truth.labels)), dtype=np.bool_)
    nearest = ranking[:NEIGHBORS]
    labels[: len(nearest)] = truth.items.has_label[nearest]
    return _nearest(scores), labels


def _nearest(scores: npt.NDArray[np.floating]) -> Float64Array:
    nearest = np.full(NEIGHBORS, -np.inf)
    nearest[: len(scores)] = scores[:NEIGHBORS]
    return nearest
