import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support.sample_report import HOSTILE, SALIENCY, sample
from xmirad.evaluation.lab import charts
from xmirad.evaluation.report_html import render_html

VOID = {"meta", "img", "br"}


class StrictParser(HTMLParser):
    """Fails where a tag is closed that is not open, and keeps tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parse(page: str) -> StrictParser:
    parser = StrictParser()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture
def page(tmp_path: Path) -> str:
    return render_html(*sample(tmp_path))


def test_the_page_is_well_formed_and_begins_as_html(page: str) -> None:
    assert page.startswith("<!DOCTYPE html>")
    assert [tag for tag, _ in parse(page).seen].count("h1") == 1


def test_the_page_asks_for_nothing_from_elsewhere(page: str) -> None:
    for tag, attributes in parse(page).seen:
        assert tag not in {"script", "link", "iframe", "object"}
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "http://" not in page.replace("http-equiv", "")
    assert "https://" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_labels_and_file_names_cannot_become_markup(tmp_path: Path) -> None:
    report, dataset = sample(tmp_path, last_label=HOSTILE)
    page = render_html(report, dataset)
    parse(page)
    assert HOSTILE not in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "broken &amp; gone.png" in page


def test_every_picture_has_a_text_and_a_frame(page: str) -> None:
    images = [attributes for tag, attributes in parse(page).seen if tag == "img" and "class" in attributes]
    assert len(images) == 2 * 3 * 4  # best and worst, three classes, the query and three results
    assert all(attributes["alt"] for attributes in images)
    assert {attributes["class"] for attributes in images} == {"query", "relevant", "other"}
    assert all(re.match(r"data:image/jpeg;base64,[\w+/=]{100,}$", attributes["src"] or "") for attributes in images)


def test_figures_intervals_and_origin_are_on_the_page(page: str) -> None:
    for text in (
        "X-MIR-compatible",
        "Without the query&#39;s own patient",
        "Research and decision support only.",
        "Not a diagnosis.",
        "xmirad evaluate sample",
        "archives/eval-sample-ab12ab12",
        "IMAGE_UNDECODABLE",
        "prefers-color-scheme: dark",
    ):
        assert text in page


def test_every_chart_is_a_picture_inside_with_a_text(page: str) -> None:
    charts = [
        attributes for tag, attributes in parse(page).seen if (attributes.get("src") or "").startswith("data:image/svg")
    ]
    assert len(charts) == 4
    for attributes in charts:
        assert attributes["alt"]
        svg = base64.b64decode((attributes["src"] or "").partition("base64,")[2])
        assert b"<svg" in svg
        assert b"<script" not in svg
    assert "Charts are missing" not in page


def test_without_the_drawing_package_the_page_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "can_draw", lambda: False)
    page = render_html(*sample(tmp_path))
    parse(page)
    assert "Charts are missing: they need the extra `xmirad[lab]`" in page
    assert "image/svg" not in page


def test_a_class_may_be_named_like_a_broken_formula(tmp_path: Path) -> None:
    lab = sample(tmp_path)[0].lab
    assert lab is not None
    named = replace(lab, curves=tuple(replace(curve, name=r"a$\nope$ $x^{$") for curve in lab.curves))
    assert len(charts.lab_charts(named)) == 4


def test_equal_findings_give_equal_charts(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    assert report.lab is not None
    assert charts.lab_charts(report.lab) == charts.lab_charts(report.lab)


def test_an_image_that_cannot_be_shown_leaves_its_text(tmp_path: Path) -> None:
    report, dataset = sample(tmp_path)
    for item in dataset.items:
        item.path.write_bytes(b"gone bad")
    page = render_html(report, dataset)
    parse(page)
    assert "image/jpeg" not in page
    assert 'role="img" aria-label="Query image-' in page


def test_maps_have_a_table_each_and_their_failures_a_line(tmp_path: Path) -> None:
    page = render_html(*sample(tmp_path, last_label=HOSTILE, saliency=SALIENCY))
    parse(page)
    assert HOSTILE not in page
    for text in (
        "Maps on the first result: occlusion, window 24, stride 5",
        "overall, random weights",
        "attention map on image-",
        "<td>explain</td>",
        "maps with untrained 4.5 s",
    ):
        assert text in page
