"""`python -m benchmarks.scale`: measures the cells that are not measured yet, and writes figures and pictures."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import this_machine
from benchmarks.scale.cells import Json, Places, cells
from benchmarks.scale.charts import draw
from benchmarks.scale.running import Runner
from benchmarks.scale.table import line, to_text
from xmirad.errors import XmiradError
from xmirad.settings_sources import load_settings

IMAGES = (1_600, 240)
LIMIT_SECONDS = 3_600.0


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments ask for and return the exit code."""
    options = _options(arguments)
    try:
        document = _run(options)
    except XmiradError as error:
        sys.stderr.write(f"benchmarks.scale: {error.message} [{error.reason}]\n")
        return 1
    path = options.output / "scale.json"
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    draw(document, options.output)
    sys.stdout.write(to_text(document) + f"\n{path}\n")
    return 0


def _run(options: argparse.Namespace) -> Json:
    places = Places(options.output, options.work or options.output / "work")
    runner = Runner(places, limit_seconds=options.limit_seconds)
    settings = load_settings()
    mixture = runner.prepared(settings, options.data, images=IMAGES[options.quick])
    sys.stderr.write(f"vectors like the embeddings of {mixture['images']} images: {mixture['source']}\n")
    wanted = cells(quick=options.quick, archives=options.archive and tuple(options.archive))
    if options.measured_only:
        wanted = (cell for cell in wanted if places.figures(cell).exists())
    measured = []
    for figures in runner.run(wanted, mixture):
        sys.stderr.write(line(figures) + "\n")
        measured.append(figures)
    return {
        "mixture": {name: mixture[name] for name in mixture if name != "asked"},
        "machine": asdict(this_machine(len(os.sched_getaffinity(0)))),
        "images": runner.images(quick=options.quick),
        "cells": measured,
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of figures and pictures")
    parser.add_argument("--work", type=Path, help="folder of large files; default: a folder below the output")
    data = os.environ.get("XMIRAD_SCALE_DATA")
    parser.add_argument(
        "--data", type=Path, default=data and Path(data), help="data set(s) to fit to; default: phantoms"
    )
    parser.add_argument("--quick", action="store_true", help="1,000 and 2,000 items only")
    parser.add_argument("--archive", type=_archive, action="append", metavar="ITEMSxSIZE", help="only such archives")
    parser.add_argument("--measured-only", action="store_true", help="show what is measured, measure nothing more")
    parser.add_argument("--limit-seconds", type=float, default=LIMIT_SECONDS, help="when a step is given up")
    return parser.parse_args(arguments)


def _archive(text: str) -> tuple[int, int]:
    items, _, size = text.partition("x")
    return int(items), int(size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
