import json
from pathlib import Path
from typing import Any

import pytest

from xmirad.errors import InvalidRequestError
from xmirad.figures.index import FILE_NAME, SCHEMA, DrawnFigure, FigureIndex, Omission


def drawn(folder: Path, name: str, title: str = "a title") -> DrawnFigure:
    (folder / f"{name}.png").write_bytes(b"png")
    return DrawnFigure(name, title, "a caption", f"{name}.png", {"n": 3})


def listed(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / FILE_NAME).read_text("utf-8"))
    return document


def test_the_list_holds_every_figure_in_the_order_of_the_names(tmp_path: Path) -> None:
    index = FigureIndex(tmp_path / "new")
    index.add(drawn(tmp_path / "new", "sanity"))
    index.add(drawn(tmp_path / "new", "tsne"))
    document = listed(tmp_path / "new")
    assert document["schema"] == SCHEMA == "xmirad.figures/1"
    assert document["figures"][0] == {
        "name": "tsne",
        "title": "a title",
        "caption": "a caption",
        "file": "tsne.png",
        "numbers": {"n": 3},
        "details": {},
    }
    assert [figure["name"] for figure in document["figures"]] == ["tsne", "sanity"]


def test_figures_of_earlier_runs_stay_until_they_are_drawn_again(tmp_path: Path) -> None:
    FigureIndex(tmp_path).add(drawn(tmp_path, "tsne"))
    later = FigureIndex(tmp_path)
    later.add(Omission("sanity", "FIELD_INVALID", "there is too little"))
    later.add(drawn(tmp_path, "grid-occlusion"))
    document = listed(tmp_path)
    assert [figure["name"] for figure in document["figures"]] == ["tsne", "grid-occlusion"]
    assert document["omitted"] == [{"name": "sanity", "reason": "FIELD_INVALID", "message": "there is too little"}]
    FigureIndex(tmp_path).add(drawn(tmp_path, "sanity", title="now there is enough"))
    assert listed(tmp_path)["omitted"] == []


def test_a_figure_whose_file_is_gone_leaves_the_list(tmp_path: Path) -> None:
    FigureIndex(tmp_path).add(drawn(tmp_path, "tsne"))
    (tmp_path / "tsne.png").unlink()
    FigureIndex(tmp_path).add(drawn(tmp_path, "sanity"))
    assert [figure["name"] for figure in listed(tmp_path)["figures"]] == ["sanity"]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "other/1", "figures": []}', '{"schema": "xmirad.figures/1"}'])
def test_a_list_that_is_none_of_ours_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(InvalidRequestError) as refusal:
        FigureIndex(tmp_path)
    assert refusal.value.field == "output"
    assert (tmp_path / FILE_NAME).read_text() == text
