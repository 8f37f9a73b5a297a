"""Colors for maps that people with any kind of color vision can read.

SEQUENTIAL runs from dark violet over green to yellow, its brightness rising all the way. DIVERGING runs from blue over
near-white to orange and is symmetric in brightness around zero.
"""

import numpy as np
import numpy.typing as npt

from xmirad.types import Float32Array, UInt8Array

Colors = npt.NDArray[np.float64]

SEQUENTIAL: Colors = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64
)
DIVERGING: Colors = np.array(
    [(5, 72, 135), (77, 146, 205), (240, 240, 240), (230, 138, 50), (140, 62, 0)], dtype=np.float64
)


def colored(places: Float32Array, table: Colors) -> UInt8Array:
    """Return the colors at places of a table, linear in between.

    Args:
        places: 0 (first color) to 1 (last color), of any shape.
        table: `[colors, 3]`, red, green and blue, 0 to 255.

    Returns:
        The shape of `places` and 3.
    """
    stops = np.linspace(0.0, 1.0, len(table))
    channels = [np.interp(places, stops, table[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
