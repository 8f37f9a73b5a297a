"""`python -m benchmarks`: runs suites, shows their figures, and compares them with the reference if asked to."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.document import Measured, record
from benchmarks.figures import Figure
from benchmarks.machine import this_machine
from benchmarks.reference import compare, read_reference
from benchmarks.run import REFERENCE_FORWARD_MS, Suite, prepare, usable_cores
from benchmarks.running import run_suites
from benchmarks.suites.codecs import codecs
from benchmarks.suites.explanations import explanations
from benchmarks.suites.fairness import fairness
from benchmarks.suites.indexing import indexing
from benchmarks.suites.interference import interference
from benchmarks.suites.load import load
from benchmarks.suites.maps import maps
from benchmarks.suites.memory import memory
from benchmarks.suites.occlusion import occlusion
from benchmarks.suites.parts import parts
from benchmarks.suites.preprocessing import preprocessing
from benchmarks.suites.search import search
from benchmarks.suites.startup import startup
from benchmarks.suites.threads import threads
from xmirad.errors import XmiradError
from xmirad.settings_sources import load_settings

SUITES: dict[str, Suite] = {
    "startup": startup,
    "parts": parts,
    "preprocessing": preprocessing,
    "search": search,
    "load": load,
    "indexing": indexing,
    "interference": interference,
    "fairness": fairness,
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
        reference = read_reference(this_machine(usable_cores())) if options.check else None
        with tempfile.TemporaryDirectory(prefix="xmirad-benchmarks-") as folder:
            figures = _run(options, Path(folder))
    except XmiradError as error:
        sys.stderr.write(f"benchmarks: {error.message} [{error.reason}]\n")
        return 1
    if reference is None:
        return 0
    comparison = compare(figures, reference)
    _say("\n" + comparison.text)
    return 1 if comparison.problems else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="do just enough to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in a file, beside other suites'")
    parser.add_argument("--check", action="store_true", help="fail if a figure is worse than in the reference")
    parser.add_argument(
        "--slowed",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="let workers pause at every chunk and map (suites occlusion and maps), to see that --check finds it",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"there is no suite {unknown[0]}; there are {', '.join(SUITES)}")
    if options.check and options.quick:
        parser.error("a quick run has too few repeats to be compared with the reference")
    return options


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Sequence[Figure]]:
    run = prepare(load_settings({}), folder, quick=options.quick, slowed_seconds=options.slowed)
    machine = this_machine(run.cores)
    _say(f"{machine}\nabsolute targets are set for {REFERENCE_FORWARD_MS} ms a forward of {run.artifact.name}, scaled")

    def keep(name: str, measured: Measured) -> None:
        if options.json is not None:
            record(options.json, machine, {name: measured})

    return run_suites(run, {name: SUITES[name] for name in options.suites or SUITES}, tell=_say, keep=keep)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
