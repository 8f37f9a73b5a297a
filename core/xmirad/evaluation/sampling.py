"""Drawing the queries to explain: the same for every model, and more of them when more are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xmirad.evaluation.truth import Truth

_STREAM = 0x5A11  # keeps the draws independent of those of the bootstrap


@dataclass(frozen=True, slots=True)
class Sample:
    """Queries that were drawn, by the index of their image in the data set.

    Attributes:
        queries: All of them, ascending.
        classes: Those of each class that has any, ascending. A query of several classes may be drawn for one of them
            only.
    """

    queries: tuple[int, ...]
    classes: dict[str, tuple[int, ...]]


def drawn(
    truth: Truth, candidates: Sequence[int], *, indices: Sequence[int], per_class: int | None, seed: int
) -> Sample:
    """Draw queries of each class, or take all.

    Those of a class that are drawn first do not depend on how many are drawn.

    Args:
        truth: What is known of the queries.
        candidates: Positions of the queries to draw from, ascending.
        indices: Of every position, the index of its image in the data set.
        per_class: How many of each class at most; None takes all, also those without a class.
        seed: Equal seeds draw equal queries from equal candidates.
    """
    ordered = np.array(candidates, dtype=np.intp)
    classes: dict[str, tuple[int, ...]] = {}
    for number, label in enumerate(truth.labels):
        members = ordered[truth.queries.has_label[ordered, number]]
        shuffled = np.random.default_rng([seed, _STREAM, number]).permutation(members)
        if len(members):
            classes[label] = tuple(sorted(indices[position] for position in shuffled[:per_class]))
    whole = (indices[position] for position in candidates)
    queries = set(whole) if per_class is None else {query for some in classes.values() for query in some}
    return Sample(tuple(sorted(queries)), classes)
