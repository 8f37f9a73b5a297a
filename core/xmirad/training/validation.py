"""How good embeddings are: leave-one-patient-out mean average precision, every class alike."""

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.metrics.average_precision import average_precision
from xmirad.training.data import IndexArray
from xmirad.types import Float32Array


def mean_average_precision(embeddings: Float32Array, labels: IndexArray, *, patients: IndexArray) -> float:
    """Return the mean over the classes of their queries' mean average precision, corrected definition, 0 to 1.

    Every image's neighbors are those of other patients, by cosine similarity; of equal ones the irrelevant come first,
    so a network that sees all images alike gains nothing. An image without a relevant neighbor is not a query.

    Args:
        embeddings: `[N, D]`, unit rows.
        labels: `[N]`, each image's class.
        patients: `[N]`, each image's patient.

    Raises:
        InvalidRequestError: If a class has images of one patient only, so that none of them has a relevant neighbor: a
            mean without it would be another figure.
    """
    scores = embeddings @ embeddings.T
    precisions: dict[int, list[float]] = {}
    for query, label in enumerate(labels.tolist()):
        others = np.flatnonzero(patients != patients[query])
        relevant = labels[others] == label
        if relevant.any():
            ranking = np.lexsort((relevant, -scores[query, others]))
            precisions.setdefault(label, []).append(average_precision(relevant[ranking]))
    missing = sorted(set(labels.tolist()) - set(precisions))
    if missing:
        message = f"classes {missing} have no image with a relevant neighbor of another patient to validate with"
        raise InvalidRequestError(message, field="validation", metadata={"classes": str(len(missing))})
    return float(np.mean([np.mean(values) for values in precisions.values()]))
