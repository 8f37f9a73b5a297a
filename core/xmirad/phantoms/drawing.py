"""One phantom: background, finding, and the way it was exposed."""

import numpy as np

from xmirad.phantoms.chest import draw_chest
from xmirad.phantoms.fields import noise
from xmirad.phantoms.findings import FINDINGS
from xmirad.types import UInt8Array


def draw_phantom(finding: str, *, seed: int, number: int) -> UInt8Array:
    """Draw a phantom; equal arguments give equal pixels.

    Args:
        finding: One of `FINDINGS`.
        seed: Seed of the whole set.
        number: Number of the image within its class.

    Returns:
        `[256, 256]` gray, 0 to 255.
    """
    generator = np.random.default_rng([seed, list(FINDINGS).index(finding), number])
    chest = draw_chest(generator)
    strength = generator.uniform(0.24, 0.4)
    image = chest.image + strength * FINDINGS[finding](generator, chest)
    image = np.clip(image, 0, 1) ** generator.uniform(0.75, 1.35)
    image = (image - 0.5) * generator.uniform(0.75, 1.25) + 0.5 + generator.uniform(-0.08, 0.08)
    image += 0.004 * noise(generator, scale=0.5)
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
