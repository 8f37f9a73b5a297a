"""Compares a run with the reference that is checked in.

Times vary from run to run, so only what is beyond doubt counts: a loss is reported where the whole 95 % interval of a
ratio is worse than the reference by 20 %. Absolute times are ratios too: to what is allowed on this machine as the
calibration found it just before the suite, so a machine that is twice as slow is allowed twice as much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.document import read_document
from benchmarks.figures import Better, Figure
from xmirad.errors import InvalidRequestError

REFERENCE = Path(__file__).with_name("reference.json")
KEPT = 0.8


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside the reference.

    Attributes:
        losses: A sentence for every figure that is worse beyond doubt.
        compared: How many figures were judged.
        unknown: How many figures the reference does not have, or have no interval.
    """

    losses: Sequence[str]
    compared: int
    unknown: int

    @property
    def text(self) -> str:
        """The outcome in words."""
        found = self.losses or ("nothing is worse than the reference",)
        return "\n".join([*found, f"{self.compared} figures compared, {self.unknown} not"])


def read_reference(file: Path = REFERENCE) -> dict[str, Any]:
    """Read the reference, as `--json` has written it.

    Raises:
        InvalidRequestError: If there is none.
    """
    if not file.exists():
        text = (
            f"there is no benchmarks/{file.name} to compare with: a full run on a quiet machine, checked in, makes one"
        )
        raise InvalidRequestError(text, field="check")
    return read_document(file)


def compare(figures: Mapping[str, Sequence[Figure]], reference: Mapping[str, Any]) -> Comparison:
    """Judge every figure, by suite, that the reference has too."""
    losses, compared, unknown = [], 0, 0
    for suite, some in figures.items():
        known = reference["suites"].get(suite, {"figures": {}})["figures"]
        for figure in some:
            if figure.name not in known or figure.interval is None:
                unknown += 1
                continue
            compared += 1
            before = known[figure.name]["ratio"]
            if is_loss(figure, before):
                low, high = figure.interval
                found = f"the ratio is {figure.ratio:.2f} ({low:.2f}-{high:.2f}), and was {before:.2f}"
                losses.append(f"{suite}: {figure.name}: {found}")
    return Comparison(losses, compared, unknown)


def is_loss(figure: Figure, before: float) -> bool:
    """Return whether even the best end of a figure's interval is 20 % worse than a ratio before."""
    if figure.interval is None:
        return False
    low, high = figure.interval
    if before == 0:  # nothing was refused then: what the target allows is no loss
        return figure.is_met is False
    return high < before * KEPT if figure.target.better is Better.HIGHER else low > before / KEPT
