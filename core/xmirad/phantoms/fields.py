"""Smooth shapes and random textures on a square grid, with coordinates from -1 to 1 (row, then column)."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
SIZE = 256


def grid() -> tuple[FloatArray, FloatArray]:
    """Return the row and the column coordinate of every pixel, `[256, 256]` each, -1 to 1."""
    axis = np.linspace(-1.0, 1.0, SIZE)
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return rows, columns


def ellipse(
    center: tuple[float, float], radii: tuple[float, float], *, softness: float, angle: float = 0.0
) -> FloatArray:
    """Return 1 inside an ellipse, 0 outside, and a smooth edge between.

    Args:
        center: Row and column.
        radii: Half axes along row and column before turning.
        softness: Width of the edge as a share of the radii.
        angle: Turn in radians.
    """
    rows, columns = grid()
    rows, columns = rows - center[0], columns - center[1]
    along = rows * np.cos(angle) + columns * np.sin(angle)
    across = columns * np.cos(angle) - rows * np.sin(angle)
    radius = np.sqrt((along / radii[0]) ** 2 + (across / radii[1]) ** 2)
    inside: FloatArray = 1.0 / (1.0 + np.exp(np.clip((radius - 1.0) / softness, -60, 60)))
    return inside


def noise(generator: np.random.Generator, *, scale: float) -> FloatArray:
    """Return a random field of mean 0 and standard deviation 1, smooth over about `scale` pixels."""
    frequencies = np.fft.fftfreq(SIZE)
    squared = frequencies[:, None] ** 2 + frequencies[None, :] ** 2
    filtered = np.fft.fft2(generator.standard_normal((SIZE, SIZE))) * np.exp(-2 * (np.pi * scale) ** 2 * squared)
    field: FloatArray = np.fft.ifft2(filtered).real
    field -= field.mean()
    field /= field.std()
    return field
