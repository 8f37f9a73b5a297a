"""A background that looks a little like a chest radiograph; every image has another one."""

from dataclasses import dataclass

import numpy as np

from xmirad.phantoms.fields import FloatArray, ellipse, grid, noise

RIBS = 8


@dataclass(frozen=True, slots=True)
class Chest:
    """A background and where its lungs are.

    Attributes:
        image: `[256, 256]`, about 0 to 1, bright where little passes.
        lungs: `[256, 256]`, 1 inside a lung, 0 outside.
        centers: Row and column of the middle of the left and of the right lung on the image.
        radii: Half height and half width of a lung.
    """

    image: FloatArray
    lungs: FloatArray
    centers: tuple[tuple[float, float], tuple[float, float]]
    radii: tuple[float, float]


def draw_chest(generator: np.random.Generator) -> Chest:
    """Draw a background: body, lungs, middle shadow, ribs, clouds and grain, all of them varied."""
    row, column = generator.uniform(-0.08, 0.08, size=2)
    radii = (generator.uniform(0.62, 0.72), generator.uniform(0.3, 0.36))
    gap = generator.uniform(0.4, 0.46)
    tilt = generator.uniform(0.02, 0.14)
    centers = ((row, column - gap), (row, column + gap))
    left = ellipse(centers[0], radii, softness=0.05, angle=-tilt)
    right = ellipse(centers[1], radii, softness=0.05, angle=tilt)
    lungs = np.maximum(left, right)
    body = ellipse((row + 0.15, column), (1.25, generator.uniform(0.92, 1.02)), softness=0.03)
    heart = ellipse(
        (row + 0.28, column + generator.uniform(0.04, 0.16)),
        (generator.uniform(0.22, 0.32), generator.uniform(0.2, 0.3)),
        softness=0.1,
    )
    image = 0.08 + 0.55 * body - generator.uniform(0.28, 0.4) * lungs + generator.uniform(0.15, 0.3) * heart
    image += _ribs(generator, row, column) * body * generator.uniform(0.02, 0.05)
    image += generator.uniform(0.02, 0.05) * noise(generator, scale=generator.uniform(14, 30))
    image += generator.uniform(0.006, 0.012) * noise(generator, scale=generator.uniform(0.6, 1.0))
    return Chest(image=image, lungs=lungs, centers=centers, radii=radii)


def _ribs(generator: np.random.Generator, row: float, column: float) -> FloatArray:
    rows, columns = grid()
    bend = generator.uniform(0.25, 0.55)
    phase = (rows - row + bend * (columns - column) ** 2) * RIBS * generator.uniform(0.42, 0.55)
    return np.cos(2 * np.pi * (phase + generator.uniform())) ** 4 * (np.abs(columns - column) > 0.1)
