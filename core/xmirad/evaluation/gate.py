"""The gate for automation: is the mean average precision high enough?"""

from xmirad.errors import InvalidRequestError
from xmirad.evaluation.figures import mean_average_precision
from xmirad.evaluation.report import EvaluationReport


def map_shortfall(report: EvaluationReport, *, min_map: float) -> str | None:
    """Return why a report does not pass, in one sentence, or None if its corrected mean average precision does.

    Raises:
        InvalidRequestError: If the minimum is not between 0 and 1.
    """
    if not 0 <= min_map <= 1:
        raise InvalidRequestError(f"min_map is {min_map}; it must be between 0 and 1", field="min_map")
    name, estimate = mean_average_precision(report.overall)
    if estimate.value >= min_map:
        return None
    return f"{name} is {estimate.value:.4f}, below the required {min_map:g}"
