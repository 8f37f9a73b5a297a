"""A map laid over the original, as PNG. The only module of the room that uses Pillow.

Color says the value, opacity how far it is from zero: what does not matter stays visible as it was.
"""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from xmirad.errors import InvalidRequestError
from xmirad.saliency.colors import DIVERGING, SEQUENTIAL, colored
from xmirad.saliency.geometry import on_picture
from xmirad.saliency.method import SaliencyMap
from xmirad.types import Float32Array, ImageGeometry, UInt8Array

OPACITY = 0.7
_LEGEND_GRAY = 128
_SMALLEST_TEXT = 11


def overlay(
    picture: UInt8Array,
    saliency: SaliencyMap,
    *,
    geometry: ImageGeometry,
    opacity: float = OPACITY,
    legend: bool = True,
) -> bytes:
    """Return a picture of the original with a map over it, as PNG.

    Args:
        picture: The whole original at any scale, uint8 RGB, `[H, W, 3]`.
        saliency: The map.
        geometry: How the map's pixels were made from the original's.
        opacity: That of the largest absolute value, 0 to 1.
        legend: Whether a bar of colors with numbers comes below.

    Raises:
        InvalidRequestError: If the opacity is not 0 to 1.
    """
    if not 0 <= opacity <= 1:
        limits = {"lowest": "0", "highest": "1"}
        raise InvalidRequestError("opacity must be 0 to 1", field="opacity", metadata=limits)
    height, width = picture.shape[:2]
    largest = float(np.abs(saliency.values).max())
    relative = on_picture(geometry, saliency.values, height=height, width=width) / np.float32(largest or 1.0)
    image = Image.fromarray(blended(picture, relative, signed=saliency.signed, opacity=opacity))
    if legend:
        image = _with_legend(image, saliency, largest=largest, opacity=opacity)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def blended(picture: UInt8Array, relative: Float32Array, *, signed: bool, opacity: float = OPACITY) -> UInt8Array:
    """Return a picture with a map over it, uint8 `[H, W, 3]`.

    Args:
        picture: Uint8 RGB, `[H, W, 3]`.
        relative: The map `[H, W]`, divided by its largest absolute value.
        signed: Whether values below 0 carry meaning.
        opacity: That of the largest absolute value, 0 to 1.
    """
    half = np.float32(0.5)
    colors = colored(half * relative + half, DIVERGING) if signed else colored(relative, SEQUENTIAL)
    weights = (np.abs(relative) * opacity)[..., None]
    return np.rint(picture * (1 - weights) + colors * weights).astype(np.uint8)


def _with_legend(image: Image.Image, saliency: SaliencyMap, *, largest: float, opacity: float) -> Image.Image:
    text = max(_SMALLEST_TEXT, image.width // 40)
    canvas = Image.new("RGB", (image.width, image.height + 3 * text), "white")
    canvas.paste(image, (0, 0))
    lowest = -1.0 if saliency.signed else 0.0
    bar = np.tile(np.linspace(lowest, 1.0, image.width, dtype=np.float32), (text, 1))
    gray = np.full((*bar.shape, 3), _LEGEND_GRAY, dtype=np.uint8)
    colored_bar = blended(gray, bar, signed=saliency.signed, opacity=opacity)
    canvas.paste(Image.fromarray(colored_bar), (0, image.height))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(text)
    places = [("la", 0, lowest), ("ra", image.width - 1, 1.0)]
    if saliency.signed:
        places.append(("ma", image.width // 2, 0.0))
    for anchor, column, place in places:
        draw.text((column, image.height + text + text // 4), _number(place * largest), "black", font, anchor)
    if not saliency.exact:
        draw.text((image.width // 4, image.height + text + text // 4), "preview", "black", font, "ma")
    return canvas


def _number(value: float) -> str:
    return f"{value:.3g}"
