import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from support.fake_client import FakeClient
from xmirad.cli.main import app
from xmirad.cli.output import Output
from xmirad.cli.pictures import Picture
from xmirad.cli.ranking import item_title
from xmirad.client.types import ItemIdentity, Upload
from xmirad.evidence.weighing import Evidence
from xmirad.types import EncodedImage, ItemAttributes, SamePatient

NASTY = "<script>alert(1)</script>"
VOID = {"meta", "img", "br"}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()
    for command in ("archive", "search"):
        monkeypatch.setattr(f"xmirad.cli.commands.{command}.connected", client.connected)
    picture = Picture(np.full((20, 30, 3), 90, np.uint8), is_whole=True)
    monkeypatch.setattr("xmirad.cli.pictures.query_picture", lambda *_: picture)
    client.archives["chest"] = {}
    uploads = [
        Upload(EncodedImage(b"0"), "0", "", ItemAttributes(labels=("normal",)), file_name="normal/a1.png"),
        Upload(EncodedImage(b"1"), "1", "case-7", ItemAttributes(labels=("pneumonia", "old"))),
        Upload(EncodedImage(b"2"), "2", "case-8", ItemAttributes(labels=(NASTY,)), file_name=f"x/{NASTY}"),
    ]
    list(client.upload("chest", uploads))
    return client


@pytest.fixture
def query(tmp_path: Path) -> str:
    file = tmp_path / "query & <b>.png"
    file.write_bytes(b"0")
    return str(file)


def _run(*args: str) -> Result:
    return CliRunner().invoke(app, args)


class Page(HTMLParser):
    """Collects what a page shows and what it would fetch; refuses tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.tags == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_results_are_named_by_external_id_and_file(client: FakeClient, query: str) -> None:
    lines = _run("search", query, "-a", "chest").stdout.splitlines()

    assert "normal/a1.png (the query itself) " in lines[1]
    assert "case-7 " in lines[2]
    assert f"case-8 (x/{NASTY})" in lines[3]


@pytest.mark.parametrize(
    ("identity", "title"),
    [
        (ItemIdentity("a", "", "", "", 0, ""), "a"),
        (ItemIdentity("", "", "", "", 0, "normal/a.png"), "normal/a.png"),
        (ItemIdentity("a", "", "", "", 0, "normal/a.png"), "a.png"),
        (ItemIdentity("a.png", "", "", "", 0, "normal/a.png"), "a.png"),
        (ItemIdentity("case", "", "", "", 0, "normal/a.png"), "case (normal/a.png)"),
        (ItemIdentity("", "1.2", "1.3", "1.4", 1, "study/IM1"), "study/IM1"),
        (ItemIdentity("", "1.2", "1.3", "1.4", 3, "study/IM1"), "study/IM1, frame 3"),
        (ItemIdentity("", "1.2", "1.3", "1.4", 1, ""), "1.4"),
        (ItemIdentity("", "", "", "", 0, ""), "0a"),
        (None, "0a"),
    ],
)
def test_an_item_is_called_by_what_people_know_it_by(identity: ItemIdentity | None, title: str) -> None:
    assert item_title(identity, "archives/chest/items/0a") == title


def test_json_has_the_identity_and_no_pixels(client: FakeClient, query: str) -> None:
    first, second, _ = json.loads(_run("search", query, "-a", "chest", "--json").stdout)["results"]

    assert (first["identity"]["file_name"], second["identity"]["external_id"]) == ("normal/a1.png", "case-7")
    assert "thumbnail" not in first


@pytest.mark.parametrize("command", ["search", "archive"])
def test_without_the_scope_identity_ids_are_shown_and_the_reason_is_said(
    client: FakeClient, query: str, command: str
) -> None:
    client.withholds_identity = True

    result = _run("search", query, "-a", "chest") if command == "search" else _run("archive", "items", "chest")

    ids = [name.rpartition("/")[2] for name in client.archives["chest"]]
    assert result.exit_code == 0
    assert all(item in result.stdout for item in ids)
    assert "case-7" not in result.stdout
    assert "need the scope identity" in result.stderr


def test_items_of_an_archive_are_listed_by_name(client: FakeClient) -> None:
    lines = _run("archive", "items", "chest").stdout.splitlines()

    assert lines[0].split()[0] == "name"
    assert lines[2].startswith("case-7 ")


def test_whether_it_is_the_same_patient_is_a_column_only_where_it_was_asked(
    client: FakeClient, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "same patient" not in _run("search", query, "-a", "chest").stdout
    plain, yes = client.search, SamePatient.YES

    def flagged(*args: object, **options: object) -> object:
        response = plain(*args, **options)  # type: ignore[arg-type] # passed on as it came
        return replace(response, results=tuple(replace(each, same_patient=yes) for each in response.results))

    monkeypatch.setattr(client, "search", flagged)
    assert "same patient" in _run("search", query, "-a", "chest").stdout


def test_a_file_comes_before_an_item_of_the_same_name(
    client: FakeClient, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "0a1b2c3d-0000-4000-8000-000000000000"
    (tmp_path / name).write_bytes(b"1")

    _run("search", name, "-a", "chest")

    assert client.calls[-1][1]["source"] == EncodedImage(b"1")


def test_the_page_is_self_contained_and_escapes_what_it_shows(client: FakeClient, query: str, tmp_path: Path) -> None:
    result = _run("search", query, "-a", "chest", "-o", str(tmp_path / "page.html"))

    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert f"written: {tmp_path / 'page.html'}" in result.stdout
    assert len(page.links) == 4  # the query and three results
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert not re.search(r"https?://|url\(|@import", text)
    for words in ("query & <b>.png", "normal/a1.png", "the query itself", "pneumonia, old", NASTY, "0.5000"):
        assert words in page.text
    assert "Research and decision support. Not a diagnosis." in page.text


def test_the_page_of_a_query_without_a_picture_says_so(
    client: FakeClient, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmirad.cli.pictures.query_picture", lambda *_: None)
    client.withholds_identity = True

    assert _run("search", query, "-a", "chest", "-o", str(tmp_path / "page.html")).exit_code == 0

    page = Page((tmp_path / "page.html").read_text())
    assert page.links == []
    assert "no picture of it here" in page.text
    assert "need the scope identity" in page.text


def test_a_warning_that_nothing_looks_like_the_query_comes_first(
    client: FakeClient, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("commands.search", "result_page"):
        monkeypatch.setattr(f"xmirad.cli.{module}.evidence_lines", lambda _: ["nothing looks like this"])
    for is_unlike in (True, False):
        client.evidence = cast("Evidence", SimpleNamespace(out_of_distribution=is_unlike))

        lines = _run("search", query, "-a", "chest", "-o", str(tmp_path / "page.html")).stdout.splitlines()

        assert (lines[0] == "nothing looks like this") == is_unlike
        assert lines.count("nothing looks like this") == 1
        assert ('class="notice unlike"' in (tmp_path / "page.html").read_text()) == is_unlike


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("page.png", "must end with .html or .htm, and page.png does not"),
        ("absent/page.html", "the folder of the output, absent, does not exist"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_search(
    client: FakeClient, query: str, file: str, message: str
) -> None:
    result = _run("search", query, "-a", "chest", "-o", file)

    assert (result.exit_code, message in result.stderr) == (2, True)
    assert client.calls == []


def test_nothing_is_cut_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    name, item = "a-long-folder/and-a-long-file-name-in-it.png", "0a1b2c3d-0000-4000-8000-000000000000"

    Output().table((">rank", "name", "item"), [(1, name, item)], last_below=1)

    shown = "".join(re.findall(r"[\w./-]", re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)))
    assert name in shown
    assert item in shown


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("text('caf\\u00e9 \\U0001f600')", "café ?\n"),
        ("table(('a',), [('caf\\u00e9 \\U0001f600',)])", "a\ncafé ?\n"),
        ("raw('[\"\\U0001f600\"]')", '[\n  "\\ud83d\\ude00"\n]\n'),
    ],
)
def test_what_a_terminal_cannot_show_is_replaced(call: str, shown: str) -> None:
    code = f"from xmirad.cli.output import Output; Output().{call}"
    environment = {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": ":".join(sys.path)}

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)

    assert done.stdout.decode("latin-1") == shown
