"""The picture that `xmirad explain -o` writes: query and result side by side, the map on the side that it explains.

A map that is no better than chance must not look like a good one: it loses its colors, is hatched, and says so.
Imported when it is needed.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from xmirad.cli.explanation_words import map_words, method_words, scale_words, verdict_words
from xmirad.cli.pictures import Picture
from xmirad.client.explanation_types import Explanation, ExplanationMap
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.geometry import on_picture
from xmirad.saliency.render import blended
from xmirad.types import ImageGeometry, UInt8Array

SIDE, GAP, BAR = 448, 24, 18
TITLE, TEXT, SMALL = 22, 16, 14
LINE = 1.3
PAGE, INK, SOFT, EMPTY = (255, 255, 255), (27, 31, 36), (87, 96, 106), (208, 215, 222)
GOOD, BAD, UNKNOWN = (0, 104, 55), (176, 0, 24), (87, 96, 106)
HATCH_STEP = 14
GRAY = 128
MAX_LINES = 4
DISCLAIMER = "Research and decision support. Not a diagnosis."
Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One image of the figure.

    Attributes:
        role: What it is, such as `Query`.
        lines: Name, rank, score and labels.
        picture: The image, or None if there is no picture of it.
        saliency: The map that lies on it, or None.
    """

    role: str
    lines: tuple[str, ...]
    picture: Picture | None
    saliency: ExplanationMap | None = None


def explanation_figure(title: str, panels: Sequence[Panel], explanation: Explanation) -> Image.Image:
    """Draw the panels beside each other, with title, method and disclaimer.

    Args:
        title: What is explained.
        panels: The images, that of the query first.
        explanation: What the maps belong to.
    """
    heads = [_panel_head(panel) for panel in panels]
    head_height = max(map(_height, heads)) + 6
    drawn = [_panel(panel, explanation, head, head_height) for panel, head in zip(panels, heads, strict=True)]
    width = GAP + len(drawn) * (SIDE + GAP)
    head = _lines([(title, TITLE, INK)], width - 2 * GAP)
    foot = [(method_words(explanation), SMALL, SOFT), (DISCLAIMER, TEXT, INK)]
    below = _lines(foot, width - 2 * GAP)
    height = GAP + _height(head) + GAP // 2 + max(each.height for each in drawn) + GAP // 2 + _height(below) + GAP
    sheet = Image.new("RGB", (width, height), PAGE)
    _write(sheet, head, left=GAP, top=GAP)
    top = GAP + _height(head) + GAP // 2
    for number, each in enumerate(drawn):
        sheet.paste(each, (GAP + number * (SIDE + GAP), top))
    _write(sheet, below, left=GAP, top=height - GAP - _height(below))
    return sheet


def encoded_figure(figure: Image.Image, *, suffix: str) -> bytes:
    """Return a figure as a file: JPEG for `.jpg` and `.jpeg`, else PNG."""
    buffer = BytesIO()
    if suffix.lower() in (".jpg", ".jpeg"):
        figure.save(buffer, format="JPEG", quality=92)
    else:
        figure.save(buffer, format="PNG")
    return buffer.getvalue()


def _panel_head(panel: Panel) -> list["_Line"]:
    where = "the map lies on this image" if panel.saliency is not None else "no map on this image"
    head = [(f"{panel.role}: {where}", TEXT, INK), *((line, SMALL, SOFT) for line in panel.lines)]
    if panel.picture is not None:
        head.append(("whole image" if panel.picture.is_whole else "the part that the model sees", SMALL, SOFT))
    return _lines(head, SIDE)


def _panel(panel: Panel, explanation: Explanation, head: Sequence["_Line"], head_height: int) -> Image.Image:
    """Draw an image with what is written above it, and its map with verdict and legend below it."""
    above = Image.new("RGB", (SIDE, head_height), PAGE)
    _write(above, head, left=0, top=0)
    parts = [above, _image(panel)]
    if panel.saliency is not None:
        parts += [_banner(panel.saliency), _legend(panel.saliency, explanation)]
    sheet = Image.new("RGB", (SIDE, sum(part.height for part in parts)), PAGE)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _image(panel: Panel) -> Image.Image:
    """Return the image, fitted into a black square, with its map over it."""
    canvas = Image.new("RGB", (SIDE, SIDE), (0, 0, 0))
    picture = panel.picture
    if picture is None:
        picture = Picture(np.full((SIDE, SIDE, 3), GRAY, dtype=np.uint8), is_whole=False)
    scale = SIDE / max(picture.pixels.shape[:2])
    height, width = (max(1, round(length * scale)) for length in picture.pixels.shape[:2])
    pixels = np.asarray(Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.BICUBIC))
    if panel.saliency is not None:
        pixels = _with_map(pixels, panel.saliency, is_whole=picture.is_whole)
    shown = Image.fromarray(pixels)
    if panel.saliency is not None and picture.is_whole:
        _frame_seen_part(shown, panel.saliency.geometry)
    canvas.paste(shown, ((SIDE - width) // 2, (SIDE - height) // 2))
    if panel.picture is None:
        draw = ImageDraw.Draw(canvas)
        draw.text((SIDE // 2, SIDE // 2), "no picture of it here", INK, _font(TEXT), "mm")
    return canvas


def _with_map(pixels: UInt8Array, saliency: ExplanationMap, *, is_whole: bool) -> UInt8Array:
    size = saliency.values.shape[0]
    geometry = saliency.geometry if is_whole else ImageGeometry(size, size, size, size, 0, 0, size)
    height, width = pixels.shape[:2]
    largest = np.float32(np.abs(saliency.values).max() or 1.0)
    relative = on_picture(geometry, saliency.values, height=height, width=width) / largest
    over = blended(pixels, relative, signed=saliency.signed)
    return _crossed_out(over) if _is_doubtful(saliency) else over


def _frame_seen_part(shown: Image.Image, geometry: ImageGeometry) -> None:
    """Draw a thin frame around the part of the image that the model sees, if it is not all of it."""
    across, down = shown.width / geometry.resized_width, shown.height / geometry.resized_height
    left, top = geometry.crop_left * across, geometry.crop_top * down
    right, bottom = left + geometry.crop_size * across - 1, top + geometry.crop_size * down - 1
    if left >= 1 or top >= 1 or right < shown.width - 2 or bottom < shown.height - 2:
        ImageDraw.Draw(shown).rectangle((left, top, right, bottom), outline=EMPTY)


def _crossed_out(pixels: UInt8Array) -> UInt8Array:
    """Return a picture without its colors and hatched."""
    gray = Image.fromarray(pixels).convert("L").convert("RGB")
    hatched = gray.copy()
    draw = ImageDraw.Draw(hatched)
    for start in range(-gray.height, gray.width, HATCH_STEP):
        draw.line((start, gray.height, start + gray.height, 0), fill=BAD, width=1)
    return np.asarray(Image.blend(gray, hatched, 0.55))


def _is_doubtful(saliency: ExplanationMap) -> bool:
    return saliency.fidelity is not None and saliency.fidelity.verdict is Verdict.NOT_BETTER_THAN_CHANCE


def _banner(saliency: ExplanationMap) -> Image.Image:
    """Say on a colored strip what the map is worth."""
    is_good = saliency.fidelity is not None and saliency.fidelity.verdict is Verdict.BETTER_THAN_CHANCE
    color = GOOD if is_good else BAD if _is_doubtful(saliency) else UNKNOWN
    words = [(verdict_words(saliency), TEXT, PAGE), (map_words(saliency), SMALL, PAGE)]
    lines = _lines(words, SIDE - 16)
    strip = Image.new("RGB", (SIDE, _height(lines) + 12), color)
    _write(strip, lines, left=8, top=6)
    return strip


def _legend(saliency: ExplanationMap, explanation: Explanation) -> Image.Image:
    """Draw the bar of colors with its numbers, and say what they mean."""
    largest = float(np.abs(saliency.values).max())
    lowest = -1.0 if saliency.signed else 0.0
    row = np.tile(np.linspace(lowest, 1.0, SIDE, dtype=np.float32), (BAR, 1))
    colors = blended(np.full((BAR, SIDE, 3), GRAY, dtype=np.uint8), row, signed=saliency.signed)
    bar = Image.fromarray(colors)
    if _is_doubtful(saliency):
        bar = bar.convert("L").convert("RGB")
    below = _lines([(scale_words(explanation, saliency), SMALL, INK), (saliency.meaning, SMALL, SOFT)], SIDE)
    numbers = round(SMALL * LINE) + 4
    legend = Image.new("RGB", (SIDE, BAR // 2 + BAR + numbers + _height(below)), PAGE)
    legend.paste(bar, (0, BAR // 2))
    draw, font = ImageDraw.Draw(legend), _font(SMALL)
    places = [("la", 0, lowest * largest), ("ra", SIDE - 1, largest)]
    if saliency.signed:
        places.append(("ma", SIDE // 2, 0.0))
    for anchor, column, value in places:
        draw.text((column, BAR // 2 + BAR + 2), f"{value:+.3g}" if value else "0", INK, font, anchor)
    _write(legend, below, left=0, top=BAR // 2 + BAR + numbers)
    return legend


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: int
    color: Color

    @property
    def height(self) -> int:
        return round(self.size * LINE)


def _lines(texts: Sequence[tuple[str, int, Color]], width: int) -> list[_Line]:
    return [_Line(part, size, color) for text, size, color in texts for part in wrapped(text, size=size, width=width)]


def _height(lines: Sequence[_Line]) -> int:
    return sum(line.height for line in lines)


def _write(sheet: Image.Image, lines: Sequence[_Line], *, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    for line in lines:
        draw.text((left, top), line.text, line.color, _font(line.size))
        top += line.height


def wrapped(text: str, *, size: int, width: int) -> list[str]:
    """Break a text into lines of at most `width` pixels, within words where one is longer; at most four lines.

    What the built-in font has no letter for is written as `?`.
    """
    font = _font(size)
    left = " ".join(text.encode("latin-1", "replace").decode("latin-1").split())
    lines: list[str] = []
    while left and len(lines) < MAX_LINES:
        widths = [math.ceil(font.getlength(left[:length])) for length in range(1, min(len(left), width) + 1)]
        count = max(1, bisect_right(widths, width))
        if count < len(left) and (space := left.rfind(" ", 1, count + 1)) > 0:
            count = space
        lines.append(left[:count].rstrip())
        left = left[count:].lstrip()
    if left:
        lines[-1] = f"{lines[-1][:-3]}..."
    return lines
