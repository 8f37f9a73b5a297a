"""A measured figure beside its baseline, and how sure it is."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

RESAMPLES = 2_000
FEWEST_REPEATS = 3


class Better(StrEnum):
    """Which way a ratio should go."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio must reach.

    Attributes:
        better: Which way the ratio should go.
        limit: The least or the greatest ratio that will do, or None where the figure is only reported.
    """

    better: Better
    limit: float | None = None

    def is_met(self, ratio: float) -> bool | None:
        """Return whether a ratio will do, or None where nothing is asked for."""
        if self.limit is None:
            return None
        return ratio >= self.limit if self.better is Better.HIGHER else ratio <= self.limit

    def __str__(self) -> str:
        """Return it as the table shows it."""
        if self.limit is None:
            return ""
        return f"{'>=' if self.better is Better.HIGHER else '<='} {self.limit:g}"


def at_least(limit: float) -> Target:
    """Return the target of a ratio that should be high."""
    return Target(Better.HIGHER, limit)


def at_most(limit: float) -> Target:
    """Return the target of a ratio that should be low."""
    return Target(Better.LOWER, limit)


@dataclass(frozen=True)
class Figure:
    """What was measured, and what it is compared with.

    Attributes:
        name: Name, unique in its suite.
        unit: Unit of values and baseline.
        values: One value a repeat.
        baseline: What it is compared with.
        baseline_values: One value a repeat, or a single one.
        target: What the ratio must reach.
        note: What else a reader should know.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    baseline: str
    baseline_values: tuple[float, ...]
    target: Target
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse repeats that do not belong together.

        Raises:
            ValueError: If the baseline has neither one value nor one a repeat.
        """
        if len(self.baseline_values) not in {1, len(self.values)}:
            raise ValueError(f"{self.name}: {len(self.values)} values, {len(self.baseline_values)} of the baseline")

    @property
    def value(self) -> float:
        """Median of the repeats."""
        return float(np.median(self.values))

    @property
    def baseline_value(self) -> float:
        """Median of the baseline's repeats."""
        return float(np.median(self.baseline_values))

    @property
    def ratio(self) -> float:
        """Median of the repeats' ratios."""
        return float(np.median(self._ratios))

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The ratio's 95 % bootstrap interval over repeats, or None where there are fewer than three."""
        ratios = self._ratios
        if len(ratios) < FEWEST_REPEATS:
            return None
        picks = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLES, len(ratios)))
        low, high = np.quantile(np.median(ratios[picks], axis=1), [0.025, 0.975])
        return float(low), float(high)

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached, or None where there is none."""
        return self.target.is_met(self.ratio)

    @cached_property
    def _ratios(self) -> np.typing.NDArray[np.float64]:
        return np.asarray(self.values, np.float64) / np.asarray(self.baseline_values, np.float64)
