import json
from pathlib import Path

import pytest

from support.sample_report import HOSTILE, sample
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.made_figures import read_figures
from xmirad.evaluation.report_html import render_html

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"


def index(folder: Path, *figures: dict[str, object], schema: str = "xmirad.figures/1") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "figures.json").write_text(json.dumps({"schema": schema, "figures": figures}))
    return folder


def entry(file: str, **changes: object) -> dict[str, object]:
    numbers = {"silhouette": 0.123456, "images": 225}
    return {"name": "s1", "title": "Layout", "caption": "A map.", "file": file, "numbers": numbers} | changes


def test_figures_come_in_the_order_of_the_index_with_their_numbers(tmp_path: Path) -> None:
    folder = index(tmp_path / "made", entry("b.svg", title=HOSTILE), entry("a.png"))
    (folder / "b.svg").write_bytes(SVG)
    (folder / "a.png").write_bytes(b"png")
    made = read_figures(folder)
    assert [figure.media_type for figure in made] == ["image/svg+xml", "image/png"]
    assert made[0].numbers == {"silhouette": "0.1235", "images": "225"}
    page = render_html(*sample(tmp_path), made=made)
    assert "silhouette: 0.1235" in page
    assert "data:image/png;base64,cG5n" in page
    assert HOSTILE not in page


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"figures\.json is no index of figures"):
        read_figures(tmp_path)


def test_an_index_of_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="its schema is 'other/1'"):
        read_figures(index(tmp_path / "made", schema="other/1"))


@pytest.mark.parametrize(
    ("figure", "why"),
    [
        (entry("absent.svg"), "No such file"),
        (entry("page.html"), "neither SVG nor PNG"),
        (entry("../outside.svg"), "outside the folder"),
        ({"name": "s1"}, "file"),
    ],
)
def test_a_figure_that_cannot_be_shown_is_refused(tmp_path: Path, figure: dict[str, object], why: str) -> None:
    (tmp_path / "outside.svg").write_bytes(SVG)
    folder = index(tmp_path / "made", figure)
    (folder / "page.html").write_bytes(b"<p>")
    with pytest.raises(InvalidRequestError, match=why):
        read_figures(folder)
