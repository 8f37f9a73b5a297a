from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xmirad.evaluation.picture import FRAME, GAP, TILE, Tile, write_picture
from xmirad.evaluation.viewing import BLUE, GREEN, RED, open_picture


def gray(path: Path, value: int, size: tuple[int, int] = (40, 20)) -> Path:
    Image.new("L", size, value).save(path)
    return path


def test_the_frames_are_blue_for_the_query_green_and_red_for_results(tmp_path: Path) -> None:
    image = gray(tmp_path / "a.png", 200)
    query = Tile(image, "normal")
    results = [Tile(image, "normal", 0.9, True), Tile(image.read_bytes(), "pneumonia", 0.8, False)]
    write_picture(tmp_path / "out.png", query, results=results)
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.format == "PNG"
        step = TILE + 2 * FRAME + GAP
        edges = [sheet.getpixel((GAP + number * step + 2, GAP + 50)) for number in range(3)]
        middles = [
            sheet.getpixel((GAP + number * step + FRAME + TILE // 2, GAP + FRAME + TILE // 2)) for number in range(3)
        ]
    assert edges == [BLUE, GREEN, RED]
    assert middles == [(200, 200, 200)] * 3


def test_scores_and_labels_are_written_below(tmp_path: Path) -> None:
    image = gray(tmp_path / "a.png", 0)
    for name, caption in (("one", "normal"), ("other", "pneumonia")):
        write_picture(tmp_path / f"{name}.png", Tile(image, caption), results=[])
    first, second = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("one", "other"))
    below = GAP + TILE + 2 * FRAME
    assert (first[below:] < 128).any()
    assert not np.array_equal(first[below:], second[below:])
    assert np.array_equal(first[:below], second[:below])


def test_a_picture_that_cannot_be_opened_leaves_its_frame(tmp_path: Path) -> None:
    write_picture(tmp_path / "out.png", Tile(b"no image", "x"), results=[])
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.getpixel((GAP + 2, GAP + 50)) == BLUE


def test_sixteen_bits_are_stretched_not_cut(tmp_path: Path) -> None:
    Image.fromarray(np.array([[1000, 3000], [1000, 3000]], dtype=np.uint16)).save(tmp_path / "deep.png")
    image = open_picture(tmp_path / "deep.png", size=2)
    assert image is not None
    assert np.asarray(image)[:, :, 0].tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n" + b"\0" * 20])
def test_what_is_no_image_is_none(data: bytes) -> None:
    assert open_picture(data, size=8) is None


def test_a_picture_keeps_its_shape_within_the_square(tmp_path: Path) -> None:
    image = open_picture(gray(tmp_path / "wide.png", 9, size=(400, 100)), size=128)
    assert image is not None
    assert image.size == (128, 32)
