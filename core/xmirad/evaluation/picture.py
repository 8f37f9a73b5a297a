"""One picture of a query and its nearest items: framed blue the query, green what is relevant, red what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from xmirad.evaluation.viewing import BLUE, GREEN, RED, Picture, open_picture

TILE, FRAME, GAP, CAPTION = 224, 8, 16, 56
FONT_SIZE = 16
BACKGROUND, TEXT, MISSING = (255, 255, 255), (20, 20, 20), (128, 128, 128)


@dataclass(frozen=True, slots=True)
class Tile:
    """An image of the picture.

    Attributes:
        picture: Its file, or an encoded image.
        caption: What is written below it, such as its label.
        score: Its score, or None for the query.
        relevant: Whether it shares a label with the query; None if that is not known.
    """

    picture: Picture
    caption: str
    score: float | None = None
    relevant: bool | None = None


def write_picture(path: Path, query: Tile, *, results: Sequence[Tile]) -> None:
    """Write a PNG of a query and its results, best first, from left to right.

    What the colors say is also written below every image.
    """
    tiles = [query, *results]
    step = TILE + 2 * FRAME + GAP
    height = TILE + 2 * FRAME + CAPTION + 2 * GAP
    sheet = Image.new("RGB", (step * len(tiles) + GAP, height), BACKGROUND)
    for number, tile in enumerate(tiles):
        _paste(sheet, tile, left=GAP + number * step, text=_caption(tile, number))
    sheet.save(path, format="PNG")


def _paste(sheet: Image.Image, tile: Tile, *, left: int, text: str) -> None:
    draw = ImageDraw.Draw(sheet)
    side = TILE + 2 * FRAME
    draw.rectangle((left, GAP, left + side - 1, GAP + side - 1), fill=_color(tile))
    draw.rectangle((left + FRAME, GAP + FRAME, left + side - FRAME - 1, GAP + side - FRAME - 1), fill=(0, 0, 0))
    image = open_picture(tile.picture, size=TILE)
    if image is not None:
        at = (left + FRAME + (TILE - image.width) // 2, GAP + FRAME + (TILE - image.height) // 2)
        sheet.paste(image, at)
    font = ImageFont.load_default(FONT_SIZE)
    draw.multiline_text((left, GAP + side + 6), text, fill=TEXT, font=font, spacing=4)


def _color(tile: Tile) -> tuple[int, int, int]:
    if tile.score is None:
        return BLUE
    return MISSING if tile.relevant is None else GREEN if tile.relevant else RED


def _caption(tile: Tile, rank: int) -> str:
    if tile.score is None:
        return f"query\n{tile.caption}"
    meaning = "" if tile.relevant is None else ", same class" if tile.relevant else ", other class"
    return f"{rank}. {tile.score:.3f}{meaning}\n{tile.caption}"
