"""How good embeddings are: leave-one-patient-out mean average precision, every class alike."""

import numpy as np

from xmirad.metrics.average_precision import average_precision
from xmirad.training.data import IndexArray
from xmirad.types import Float32Array


def mean_average_precision(embeddings: Float32Array, labels: IndexArray, *, patients: IndexArray) -> float:
    """Return the mean over the classes of their queries' mean average precision, corrected definition, 0 to 1.

    Every image's neighbors are those of other patients, by cosine similarity; of equal ones the irrelevant come first,
    so a network that sees all images alike gains nothing. An image without a relevant neighbor is no query.

    Args:
        embeddings: `[N, D]`, unit rows.
        labels: `[N]`, each image's class.
        patients: `[N]`, each image's patient.
    """
    scores = embeddings @ embeddings.T
    precisions: dict[int, list[float]] = {}
    for query, label in enumerate(labels.tolist()):
        others = np.flatnonzero(patients != patients[query])
        relevant = labels[others] == label
        if relevant.any():
            ranking = np.lexsort((relevant, -scores[query, others]))
            precisions.setdefault(label, []).append(average_precision(relevant[ranking]))
    return float(np.mean([np.mean(values) for values in precisions.values()]))
