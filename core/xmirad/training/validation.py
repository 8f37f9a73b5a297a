"""How good embeddings are: leave-one-out mean average precision, every class counting the same."""

import numpy as np

from xmirad.metrics.average_precision import average_precision
from xmirad.training.data import IndexArray
from xmirad.types import Float32Array


def mean_average_precision(embeddings: Float32Array, labels: IndexArray) -> float:
    """Return the mean over the classes of their queries' mean average precision, corrected definition, 0 to 1.

    Every image's neighbors are the others, by cosine similarity; equal ones in the images' order. An image that is
    alone in its class is no query.

    Args:
        embeddings: `[N, D]`, unit rows.
        labels: `[N]`, each image's class.
    """
    scores = embeddings @ embeddings.T
    precisions: dict[int, list[float]] = {}
    for query, label in enumerate(labels.tolist()):
        others = np.delete(np.arange(len(labels)), query)
        ranking = others[np.argsort(-scores[query, others], kind="stable")]
        relevant = labels[ranking] == label
        if relevant.any():
            precisions.setdefault(label, []).append(average_precision(relevant))
    return float(np.mean([np.mean(values) for values in precisions.values()]))
