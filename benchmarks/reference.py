"""Compares a run with the reference that is checked in.

Times vary from run to run, so only what is beyond doubt counts: a loss is reported where the whole 95 % interval of a
ratio is worse than the reference by 20 %. Absolute times are ratios too: to what is allowed on this machine as the
calibration found it just before the suite, so a machine that is twice as slow is allowed twice as much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.document import read_document, require_machine
from benchmarks.figures import Better, Figure
from benchmarks.machine import Machine
from xmirad.errors import InvalidRequestError

REFERENCE = Path(__file__).with_name("reference.json")
KEPT = 0.8


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside the reference.

    Attributes:
        losses: A sentence for every figure that is worse beyond doubt.
        compared: How many figures were judged.
        missing: Figures that the reference has of the suites that ran, and the run does not: renamed or gone.
        not_judged: Figures with too few repeats for an interval.
        unknown: Figures that the reference does not have.
    """

    losses: Sequence[str]
    compared: int
    missing: Sequence[str] = ()
    not_judged: Sequence[str] = ()
    unknown: Sequence[str] = ()

    @property
    def problems(self) -> Sequence[str]:
        """A sentence for everything that fails a check."""
        gone = [f"{name}: the reference has this figure, the run has not: renamed or gone" for name in self.missing]
        nothing = [] if self.compared else ["nothing was compared: the reference has none of these figures to judge by"]
        return [*self.losses, *gone, *nothing]

    @property
    def text(self) -> str:
        """The outcome in words."""
        found = self.problems or ("nothing is worse than the reference",)
        few = [f"not judged, too few repeats: {name}" for name in self.not_judged]
        new = [f"not judged, not in the reference: {name}" for name in self.unknown]
        count = len(few) + len(new)
        return "\n".join([*few, *new, *found, f"{self.compared} figures compared, {count} not judged"])


def read_reference(machine: Machine, file: Path = REFERENCE) -> dict[str, Any]:
    """Read the reference, as `--json` has written it on such a machine.

    Raises:
        InvalidRequestError: If there is none, or if it is of another machine.
    """
    if not file.exists():
        text = (
            f"there is no benchmarks/{file.name} to compare with: a full run on a quiet machine, checked in, makes one"
        )
        raise InvalidRequestError(text, field="check")
    document = read_document(file)
    require_machine(document, machine, file=f"benchmarks/{file.name}", field="check")
    return document


def compare(figures: Mapping[str, Sequence[Figure]], reference: Mapping[str, Any]) -> Comparison:
    """Judge every figure, by suite, that the reference has too; names are those of `promises.toml`."""
    known = {
        f"{suite}: {name}": figure["ratio"]
        for suite in figures
        for name, figure in reference["suites"].get(suite, {"figures": {}})["figures"].items()
    }
    found = {f"{suite}: {figure.name}": figure for suite, some in figures.items() for figure in some}
    judged = {name: figure for name, figure in found.items() if name in known and figure.interval is not None}
    return Comparison(
        losses=[_loss(name, figure, known[name]) for name, figure in judged.items() if is_loss(figure, known[name])],
        compared=len(judged),
        missing=[name for name in known if name not in found],
        not_judged=[name for name, figure in found.items() if name in known and figure.interval is None],
        unknown=[name for name in found if name not in known],
    )


def _loss(name: str, figure: Figure, before: float) -> str:
    interval = "({:.2f}-{:.2f})".format(*figure.interval or ())
    return f"{name}: the ratio is {figure.ratio:.2f} {interval}, and was {before:.2f}"


def is_loss(figure: Figure, before: float) -> bool:
    """Return whether even the best end of a figure's interval is 20 % worse than a ratio before."""
    if figure.interval is None:
        return False
    low, high = figure.interval
    if before == 0:  # nothing was refused then: what the target allows is no loss
        return figure.is_met is False
    return high < before * KEPT if figure.target.better is Better.HIGHER else low > before / KEPT
