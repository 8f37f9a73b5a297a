"""The three findings. They differ by place and by texture; size, number, side and strength vary within each."""

from collections.abc import Callable, Mapping

import numpy as np

from xmirad.phantoms.chest import Chest
from xmirad.phantoms.fields import FloatArray, ellipse, grid, noise

Finding = Callable[[np.random.Generator, Chest], FloatArray]


def nodules(generator: np.random.Generator, chest: Chest) -> FloatArray:
    """Return a few round spots with a sharp edge, in the upper half of the lungs; `[256, 256]`, 0 to 1."""
    field = np.zeros_like(chest.image)
    for _ in range(generator.integers(5, 10)):
        center = _place(generator, chest, rows=(-0.75, 0.0))
        radius = generator.uniform(0.05, 0.1)
        field = np.maximum(field, ellipse(center, (radius, radius), softness=0.12))
    return field


def stripes(generator: np.random.Generator, chest: Chest) -> FloatArray:
    """Return a net of fine bent lines in the lower half of the lungs; `[256, 256]`, 0 to 1."""
    rows, columns = grid()
    bend = 0.05 * noise(generator, scale=12)
    lines = np.zeros_like(rows)
    for turn in generator.uniform(0, np.pi) + np.array([0.0, np.pi / 2]):
        wave = (rows * np.cos(turn) + columns * np.sin(turn) + bend) * generator.uniform(9, 14)
        lines = np.maximum(lines, np.cos(2 * np.pi * wave) ** 6)
    return 0.8 * lines * _patch(generator, chest, rows=(0.2, 0.7))


def haze(generator: np.random.Generator, chest: Chest) -> FloatArray:
    """Return a cloud without an edge in the middle of one lung; `[256, 256]`, 0 to 1."""
    cloud = 1 / (1 + np.exp(-2.5 * noise(generator, scale=7)))
    return cloud * _patch(generator, chest, rows=(-0.25, 0.25))


FINDINGS: Mapping[str, Finding] = {"nodules": nodules, "stripes": stripes, "haze": haze}


def _place(generator: np.random.Generator, chest: Chest, *, rows: tuple[float, float]) -> tuple[float, float]:
    row, column = chest.centers[generator.integers(2)]
    height, width = chest.radii
    down = generator.uniform(*rows)
    reach = 0.75 * np.sqrt(max(0.0, 1 - down**2))
    return row + down * height, column + generator.uniform(-reach, reach) * width


def _patch(generator: np.random.Generator, chest: Chest, *, rows: tuple[float, float]) -> FloatArray:
    height, width = chest.radii
    radii = (generator.uniform(0.4, 0.6) * height, generator.uniform(0.8, 1.1) * width)
    return ellipse(_place(generator, chest, rows=rows), radii, softness=0.18) * chest.lungs
