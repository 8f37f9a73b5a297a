"""Whether one run is better than another on the same queries."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.metrics.bootstrap import CONFIDENCE, Estimate, resampled_means

Float64Array = npt.NDArray[np.float64]
RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much a figure's mean changed from one run to the other.

    Attributes:
        difference: Second mean minus first, with its 95 % percentile bootstrap interval over queries.
        p_value: Two-sided: how often a difference at least as large would be drawn if there was none; never 0.
    """

    difference: Estimate
    p_value: float


def paired_differences(
    first: Float64Array, second: Float64Array, *, seed: int, resamples: int = RESAMPLES
) -> tuple[PairedDifference, ...]:
    """Compare two runs query by query.

    The queries are drawn again, the same ones in both runs. For the p-value the drawn differences are shifted to have
    mean 0 and counted where they are at least as far from it as the difference that was found; one is added to count
    and number of draws (bootstrap shift test: Smucker, Allan and Carterette, "A comparison of statistical significance
    tests for information retrieval evaluation", CIKM 2007, section 3.3).

    Args:
        first: `[Q, M]`, M figures of each of Q queries in the first run.
        second: `[Q, M]`, those of the same queries in the second.
        seed: Equal seeds give equal intervals and p-values.
        resamples: How often to draw; no p-value is below 1 / (resamples + 1).

    Raises:
        ValueError: If the runs have different shapes, or there is no query.
    """
    if first.shape != second.shape:
        raise ValueError(f"the runs have figures of different shapes: {first.shape} and {second.shape}")
    differences = second - first
    draws = resampled_means(differences, seed=seed, resamples=resamples)
    centers = np.mean(differences, axis=0)
    tail = (1 - CONFIDENCE) / 2
    lows, highs = np.quantile(draws, [tail, 1 - tail], axis=0)
    rounding = 1e-12
    extreme = np.abs(draws - centers) >= np.abs(centers) - rounding
    p_values = (np.count_nonzero(extreme, axis=0) + 1) / (resamples + 1)
    rows = zip(centers, lows, highs, p_values, strict=True)
    return tuple(PairedDifference(Estimate(float(c), float(low), float(high)), float(p)) for c, low, high, p in rows)
