"""What the model saw of items, and maps laid over it."""

from io import BytesIO

import numpy as np
from PIL import Image

from xmirad.client.explanation_types import ExplanationMap
from xmirad.figures.service import FiguresService
from xmirad.saliency.render import blended
from xmirad.types import UInt8Array


class Pictures:
    """Fetches the picture of each item once."""

    def __init__(self, service: FiguresService) -> None:
        """Begin with no pictures."""
        self._service = service
        self._pictures: dict[str, UInt8Array] = {}

    def of(self, item: str) -> UInt8Array:
        """Return what the model saw of an item, uint8 RGB, `[S, S, 3]`."""
        if item not in self._pictures:
            with Image.open(BytesIO(self._service.item_image(item))) as image:
                self._pictures[item] = np.asarray(image.convert("RGB"), dtype=np.uint8)
        return self._pictures[item]


def with_map(picture: UInt8Array, saliency: ExplanationMap) -> UInt8Array:
    """Return a picture with a map over it, scaled by the map's own maximum.

    Args:
        picture: What the model saw, `[S, S, 3]`.
        saliency: A map of as many pixels.
    """
    largest = float(np.abs(saliency.values).max())
    return blended(picture, saliency.values / np.float32(largest or 1.0), signed=saliency.signed)
