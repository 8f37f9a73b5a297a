"""Whether one run is better than another on the same queries."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.metrics.bootstrap import CONFIDENCE, Estimate, resampled_means

Float64Array = npt.NDArray[np.float64]
RESAMPLES = 10_000
_ROUNDING = 1e-12
_SIGNS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much a figure's mean changed from one run to the other.

    Attributes:
        difference: Second mean minus first, with its 95 % percentile bootstrap interval over queries.
        p_value: Two-sided: how often a difference at least as large would come about if it were chance which of the
            two runs each query's figures are from; never 0.
    """

    difference: Estimate
    p_value: float


def paired_differences(
    first: Float64Array, second: Float64Array, *, seed: int, resamples: int = RESAMPLES
) -> tuple[PairedDifference, ...]:
    """Compare two runs query by query.

    The p-value is that of the randomization test (Smucker, Allan and Carterette, "A comparison of statistical
    significance tests for information retrieval evaluation", CIKM 2007, section 3.2): the sign of every query's
    difference is drawn, and draws are counted whose mean is at least as far from 0 as the one that was found. All
    combinations of signs are counted where there are no more of them than draws; else one is added to count and draws.

    Args:
        first: `[Q, M]`, M figures of each of Q queries in the first run.
        second: `[Q, M]`, those of the same queries in the second.
        seed: Equal seeds give equal intervals and p-values.
        resamples: How often to draw.

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
    p_values = _p_values(differences, seed=seed, resamples=resamples)
    rows = zip(centers, lows, highs, p_values, strict=True)
    return tuple(PairedDifference(Estimate(float(c), float(low), float(high)), float(p)) for c, low, high, p in rows)


def _p_values(differences: Float64Array, *, seed: int, resamples: int) -> Float64Array:
    """Return the randomization test's p-value of each column of `[Q, M]` differences, `[M]`."""
    queries = len(differences)
    bound = np.abs(differences.sum(axis=0)) - _ROUNDING * queries
    if queries < resamples.bit_length():
        signs = 1 - 2 * ((np.arange(2**queries)[:, None] >> np.arange(queries)) & 1)
        exact: Float64Array = np.mean(np.abs(signs @ differences) >= bound, axis=0)
        return exact
    generator = np.random.default_rng(seed)
    extreme = np.zeros(differences.shape[1], dtype=np.intp)
    for start in range(0, resamples, _SIGNS_AT_ONCE):
        drawn = min(_SIGNS_AT_ONCE, resamples - start)
        signs = 1 - 2 * generator.integers(2, size=(drawn, queries))
        extreme += np.count_nonzero(np.abs(signs @ differences) >= bound, axis=0)
    sampled: Float64Array = (extreme + 1) / (resamples + 1)
    return sampled
