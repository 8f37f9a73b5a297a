"""How far a mean over queries may be off, by resampling the queries.

The interval speaks of the choice of queries only. Queries of a leave-one-out evaluation share one archive, and images
of one patient resemble each other, so the truth is somewhat less sure than the interval says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
RESAMPLES = 2000
CONFIDENCE = 0.95
_CHUNK_CELLS = 4_000_000
_STREAM = 0xB007  # keeps the draws independent of data that a caller generated from the same seed


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its interval.

    Attributes:
        value: The mean over the queries.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


def resampled_means(values: Float64Array, *, seed: int, resamples: int = RESAMPLES) -> Float64Array:
    """Draw the queries again, as many as there are and with replacement, and return the mean of every draw.

    Args:
        values: `[Q, M]`, M figures of each of Q queries; the same queries are drawn for all figures.
        seed: Equal seeds give equal draws.
        resamples: How many draws.

    Returns:
        `[resamples, M]`.

    Raises:
        ValueError: If there is no query.
    """
    queries = len(values)
    if queries == 0:
        raise ValueError("there are no queries to draw from")
    generator = np.random.default_rng([seed, _STREAM])
    shares = np.full(queries, 1 / queries)
    chunk = max(1, _CHUNK_CELLS // queries)
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    return np.concatenate([generator.multinomial(queries, shares, size=size) @ values / queries for size in sizes])


def estimates(values: Float64Array, *, seed: int, resamples: int = RESAMPLES) -> tuple[Estimate, ...]:
    """Return the mean of each figure with its 95 % percentile interval.

    Args:
        values: `[Q, M]`.
        seed: Equal seeds give equal intervals.
        resamples: How many draws.

    Raises:
        ValueError: If there is no query.
    """
    draws = resampled_means(values, seed=seed, resamples=resamples)
    return _estimates(np.mean(values, axis=0), draws)


def macro_estimates(groups: Sequence[Float64Array], *, seed: int, resamples: int = RESAMPLES) -> tuple[Estimate, ...]:
    """Return the mean over classes of their means, each class counting the same, with its 95 % percentile interval.

    Args:
        groups: `[Q_c, M]` of each class c. Queries are drawn within their class.
        seed: Equal seeds give equal intervals.
        resamples: How many draws.

    Raises:
        ValueError: If there is no class, or a class without a query.
    """
    if not groups:
        raise ValueError("there are no classes to average")
    draws = [resampled_means(values, seed=seed + index, resamples=resamples) for index, values in enumerate(groups)]
    centers = [np.mean(values, axis=0) for values in groups]
    return _estimates(np.mean(centers, axis=0), np.mean(draws, axis=0))


def bootstrap_interval(values: npt.ArrayLike, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean of one figure with its 95 % percentile interval.

    Args:
        values: `[Q]`, the figure of each query.
        seed: Equal seeds give equal intervals.
        resamples: How many draws.

    Raises:
        ValueError: If there is no query.
    """
    return estimates(np.asarray(values, dtype=np.float64)[:, None], seed=seed, resamples=resamples)[0]


def _estimates(centers: Float64Array, draws: Float64Array) -> tuple[Estimate, ...]:
    tail = (1 - CONFIDENCE) / 2
    lows, highs = np.quantile(draws, [tail, 1 - tail], axis=0)
    return tuple(Estimate(*map(float, each)) for each in zip(centers, lows, highs, strict=True))
