"""`python -m benchmarks.scale.child`: one step of a run in a process of its own; its figures go to standard output."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.scale.asking import ask
from benchmarks.scale.building import build
from benchmarks.scale.cells import Cell, Json, Places
from benchmarks.scale.mixture import load_mixture
from benchmarks.scale.population import Population
from benchmarks.scale.questions import exact_answers, save_answers
from xmirad.settings_sources import load_settings
from xmirad.types import EdgeIndex


def main(arguments: Sequence[str]) -> int:
    """Do a step: `images SIZE`, or `answers`, `build` or `ask` with the places and the cell."""
    figures = _of_images(arguments[1]) if arguments[0] == "images" else _of_cell(*arguments)
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


def _of_images(size: str) -> Json:
    from benchmarks.scale.images import image_figures  # the model's runtime, whose memory is no cell's

    return image_figures(load_settings(), quick=size == "quick")


def _of_cell(step: str, output: str, work: str, items: str, embedding_size: str, index: str) -> Json:
    cell, places = Cell(int(items), int(embedding_size), EdgeIndex(index)), Places(Path(output), Path(work))
    if step == "build":
        return asdict(build(cell, places))
    if step == "ask":
        return asdict(ask(cell, places))
    population = Population(load_mixture(places.mixture), cell.embedding_size)
    save_answers(places.answers(cell), exact_answers(population, cell.items, cell.queries))
    return {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
