"""Rankings without the query's own patient, who is easy to find and proves nothing."""

from xmirad.metrics.average_precision import BoolArray


def without_same_patient(relevant: BoolArray, same_patient: BoolArray) -> BoolArray:
    """Take the items of the query's own patient out of a ranking: they count neither as relevant nor as not.

    A query that no relevant item is left for has no figures; drop and count it.

    Args:
        relevant: `[N]`, whether each result is relevant, best first.
        same_patient: `[N]`, whether each result shows the query's patient.

    Returns:
        `[M]`, M <= N, the ranking that is left.
    """
    others: BoolArray = relevant[~same_patient]
    return others
