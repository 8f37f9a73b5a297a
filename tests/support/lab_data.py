"""Small data sets of pixels for tests of the evaluation lab."""

from pathlib import Path

import numpy as np

from support.fake_evaluation import pixel_item
from xmirad.datasets import Dataset

LABELS = ("x", "y", "z")


def pixels_set(
    folder: Path, name: str, *, count: int, seed: int, patients: str = "", sources: tuple[str, ...] = ("",)
) -> Dataset:
    """Write images of three classes, each brightest at a place of its own; two after each other are of one patient."""
    generator = np.random.default_rng(seed)
    items = []
    for number in range(count):
        pixels = generator.integers(1, 160, size=4)
        pixels[number % 3] = min(255, pixels[number % 3] + 70)
        items.append(
            pixel_item(
                folder / name / f"{name}{number:02d}.png",
                [int(value) for value in pixels],
                labels=(LABELS[number % 3],),
                patient=f"{patients}{number // 6}" if patients else "",
                source=sources[number // 3 % len(sources)],
            )
        )
    return Dataset(name, tuple(items))
