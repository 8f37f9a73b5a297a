"""Runs suites one after the other, each with a calibration of its own."""

import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.clock import Company
from benchmarks.document import Measured
from benchmarks.figures import Figure
from benchmarks.run import Run, Suite
from benchmarks.table import table


def run_suites(
    run: Run, suites: Mapping[str, Suite], *, tell: Callable[[str], None], keep: Callable[[str, Measured], None]
) -> dict[str, Sequence[Figure]]:
    """Run suites and return their figures.

    Args:
        run: What they are given, but for the calibration.
        suites: Suites by name.
        tell: Told each suite's table.
        keep: Given each suite's outcome when it is there.
    """
    figures: dict[str, Sequence[Figure]] = {}
    for name, suite in suites.items():
        calibrated = run.calibrated()
        began, company = time.monotonic(), Company()
        figures[name] = list(suite(calibrated))
        seconds, share = time.monotonic() - began, company.share()
        keep(name, Measured(figures[name], seconds, share, calibrated.forward_ms, run.quick))
        circumstances = f"{seconds:.0f} s; one forward {calibrated.forward_ms:.1f} ms; others used {share:.0%}"
        tell(f"\n{name} ({circumstances} of the machine)\n{table(figures[name])}")
    return figures
