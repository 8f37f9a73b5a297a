"""`python -m benchmarks`: runs suites, shows their figures, and compares them with the reference if asked to."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clock import Company
from benchmarks.figures import Figure
from benchmarks.reference import losses, read_reference
from benchmarks.run import REFERENCE_FORWARD_MS, Suite, prepare
from benchmarks.suites.codecs import codecs
from benchmarks.suites.crowd import crowd
from benchmarks.suites.explanations import explanations
from benchmarks.suites.indexing import indexing
from benchmarks.suites.interference import interference
from benchmarks.suites.maps import maps
from benchmarks.suites.memory import memory
from benchmarks.suites.occlusion import occlusion
from benchmarks.suites.search import search
from benchmarks.suites.startup import startup
from benchmarks.suites.threads import threads
from benchmarks.table import document, table, to_text
from xmirad.errors import XmiradError
from xmirad.settings_sources import load_settings

SUITES: dict[str, Suite] = {
    "startup": startup,
    "search": search,
    "crowd": crowd,
    "indexing": indexing,
    "interference": interference,
    "memory": memory,
    "occlusion": occlusion,
    "maps": maps,
    "explanations": explanations,
    "codecs": codecs,
    "threads": threads,
}


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments ask for and return the exit code."""
    options = _options(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="xmirad-benchmarks-") as folder:
            figures = _run(options, Path(folder))
    except XmiradError as error:
        sys.stderr.write(f"benchmarks: {error.message} [{error.reason}]\n")
        return 1
    if not options.check:
        return 0
    lost = losses(figures, read_reference())
    _say("\n".join(lost) if lost else "nothing is worse than the reference")
    return 1 if lost else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="do just enough to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    parser.add_argument(
        "--check",
        action="store_true",
        default=os.environ.get("CHECK", "") not in {"", "0"},
        help="fail if a figure is worse than in benchmarks/reference.json; CHECK=1 does the same",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"there is no suite {unknown[0]}; there are {', '.join(SUITES)}")
    return options


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Sequence[Figure]]:
    run = prepare(load_settings({}), folder, quick=options.quick)
    _say(
        f"one forward of {run.artifact.name} takes {run.forward_ms:.1f} ms on {run.cores} cores; "
        f"absolute targets are set for {REFERENCE_FORWARD_MS} ms and scaled"
    )
    figures: dict[str, Sequence[Figure]] = {}
    for name in options.suites or SUITES:
        began, company = time.monotonic(), Company()
        figures[name] = list(SUITES[name](run))
        circumstances = f"{time.monotonic() - began:.0f} s; other processes used {company.share():.0%} of the machine"
        _say(f"\n{name} ({circumstances})\n{table(figures[name])}")
        if options.json is not None:
            options.json.write_text(to_text(document(run, figures)), "utf-8")
    return figures


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
