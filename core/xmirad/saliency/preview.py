"""What can be said before all windows are there, and how far off it was.

Responses of a coarse level are interpolated bilinearly to the whole lattice and then aggregated. Measured against exact
maps of X-rays: stride 20 correlates by 0.92 to 0.95 in the median, but its peak can be 100 pixels off; stride 10 by
0.985 and more. Responses stay signed until they are interpolated: clamping first is slightly worse.
"""

import numpy as np

from xmirad.saliency.interpolation import node_weights
from xmirad.saliency.lattice import Float64Array, WindowLattice
from xmirad.saliency.levels import Level, levels, walk


def interpolated(lattice: WindowLattice, level: Level, responses: Float64Array) -> Float64Array:
    """Return the responses of a level's windows, interpolated to the whole lattice.

    Args:
        lattice: Where the windows lie.
        level: One of its levels.
        responses: In the order of the walk, `[N]`; those beyond the level are not looked at.

    Returns:
        `[n, n]`, exact at the windows of the level.
    """
    count = lattice.per_axis
    grid = np.zeros((count, count))
    grid.flat[walk(lattice)[: level.windows]] = responses[: level.windows]
    if level.checkerboard:
        return _filled_checkerboard(grid)
    coarse = grid[:: level.step, :: level.step]
    weights = node_weights(nodes=len(coarse), count=count)
    filled: Float64Array = weights @ coarse @ weights.T
    return filled


def estimated_error(lattice: WindowLattice, level: Level, responses: Float64Array, *, signed: bool) -> float | None:
    """Return how far the level before was off at this level's new windows, as a fraction of the largest response.

    Args:
        lattice: Where the windows lie.
        level: One of its levels.
        responses: Signed, in the order of the walk, `[N]`.
        signed: Whether the map keeps negative responses; else they count as 0 here too.

    Returns:
        At least 0, or None for the first level, which has nothing to compare with.
    """
    earlier = [before for before in levels(lattice) if before.windows < level.windows]
    if not earlier:
        return None
    return _worst(lattice, earlier[-1], responses[: level.windows], signed=signed)


def preview_errors(lattice: WindowLattice, responses: Float64Array, *, signed: bool) -> tuple[float, ...]:
    """Return how far each preview was off at all windows that it lacked, as a fraction of the largest response.

    Args:
        lattice: Where the windows lie.
        responses: Signed responses of all windows in the order of the walk, `[windows]`.
        signed: Whether the map keeps negative responses.

    Returns:
        One for each level but the last, coarsest first.
    """
    return tuple(_worst(lattice, level, responses, signed=signed) for level in levels(lattice)[:-1])


def clamped(responses: Float64Array, *, signed: bool) -> Float64Array:
    """Return responses with negative ones set to 0, unless `signed`."""
    return responses if signed else np.maximum(responses, 0.0)


def _worst(lattice: WindowLattice, level: Level, responses: Float64Array, *, signed: bool) -> float:
    windows = walk(lattice)[: len(responses)]
    predicted = clamped(interpolated(lattice, level, responses), signed=signed).ravel()[windows]
    measured = clamped(responses, signed=signed)
    largest = np.abs(measured).max()
    return float(np.abs(predicted - measured).max() / largest) if largest > 0 else 0.0


def _filled_checkerboard(grid: Float64Array) -> Float64Array:
    """Fill the windows that a checkerboard lacks with the mean of their neighbors; at the border, of those along it."""
    rows, columns = np.indices(grid.shape)
    lacking = (rows + columns) % 2 == 1
    vertical = (np.roll(grid, 1, axis=0) + np.roll(grid, -1, axis=0)) / 2
    horizontal = (np.roll(grid, 1, axis=1) + np.roll(grid, -1, axis=1)) / 2
    means = (vertical + horizontal) / 2
    means[[0, -1], :] = horizontal[[0, -1], :]
    means[:, [0, -1]] = vertical[:, [0, -1]]
    return np.where(lacking, means, grid)
