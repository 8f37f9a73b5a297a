"""Rankings without the query's own patient, who is easy to find and proves nothing."""

from xmirad.metrics.average_precision import BoolArray


def without_same_patient(relevant: BoolArray, same_patient: BoolArray) -> BoolArray | None:
    """Take the items of the query's own patient out of a ranking: they count neither as relevant nor as not.

    Args:
        relevant: `[N]`, whether each result is relevant, best first.
        same_patient: `[N]`, whether each result shows the query's patient.

    Returns:
        `[M]`, M <= N, the ranking that is left; None if nothing in it is relevant: drop and count the query.
    """
    others: BoolArray = relevant[~same_patient]
    return others if others.any() else None
