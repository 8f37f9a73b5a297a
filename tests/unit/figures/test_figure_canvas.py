from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xmirad.figures.canvas import Canvas, Place, drawing_style, shortened
from xmirad.figures.palette import BLUE, GREEN, ORANGE, class_styles, in_order

CHECKERED = np.indices((8, 8)).sum(axis=0)[..., None] % 2 * np.array([255, 255, 255], dtype=np.uint8)


def test_a_page_is_written_at_print_quality_and_lies_where_it_was_put(tmp_path: Path) -> None:
    with drawing_style():
        canvas = Canvas(2.0, 1.0)
        canvas.image(Place(0.5, 0.25, 0.5, 0.5), CHECKERED.astype(np.uint8), "#ff0000")
        canvas.box(Place(1.5, 0.0, 0.5, 0.5), "#00ff00")
        assert canvas.save(tmp_path, "page") == "page.png"
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (600, 300)
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        pixels = np.asarray(picture.convert("RGB"))
    assert tuple(pixels[75, 525]) == (0, 255, 0)
    assert tuple(pixels[225, 225]) == (255, 0, 0)
    assert tuple(pixels[10, 10]) == tuple(pixels[290, 590]) == (255, 255, 255)
    inside = pixels[80:220, 155:295].reshape(-1, 3)
    assert {0, 255} == set(inside.ravel().tolist())


def test_a_vector_page_keeps_the_pixels_of_its_pictures_and_tells_no_date(tmp_path: Path) -> None:
    with drawing_style():
        canvas = Canvas(1.0, 1.0)
        canvas.image(Place(0, 0, 1, 1), CHECKERED.astype(np.uint8), "#000000")
        canvas.text(0.1, 0.1, "words")
        canvas.save(tmp_path, "page")
    text = (tmp_path / "page.svg").read_text("utf-8")
    assert "data:image/png;base64" in text
    assert "dc:date" not in text


def test_drawing_leaves_no_style_behind() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with drawing_style():
        assert matplotlib.rcParams["svg.hashsalt"] == "xmirad"
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("text", "characters", "short"), [("short", 5, "short"), ("abcdefghij", 6, "ab\u2026hij"), ("abc", 2, "\u2026c")]
)
def test_a_long_name_keeps_its_beginning_and_its_end(text: str, characters: int, short: str) -> None:
    assert shortened(text, characters) == short


@pytest.mark.parametrize("labels", [("COVID-19", "normal", "pneumonia"), ("melanoma", "nevus", "seborrheic keratosis")])
def test_classes_of_the_paper_have_its_colors_and_order(labels: tuple[str, ...]) -> None:
    styles = class_styles(labels)
    assert [styles[label].color for label in in_order(labels)] == [BLUE, ORANGE, GREEN]


def test_other_classes_differ_in_color_or_mark() -> None:
    labels = [f"class {number}" for number in range(20)]
    styles = class_styles([*labels, "normal"])
    assert len({(style.color, style.mark) for style in styles.values()}) == 21
