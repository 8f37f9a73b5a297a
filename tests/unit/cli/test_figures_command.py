import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.fake_evaluation import CONTROL, write_pixels
from support.fake_figures import FakeFiguresService
from xmirad.cli.main import app
from xmirad.errors import ItemNotFoundError


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> FakeFiguresService:
    service = FakeFiguresService()

    @contextmanager
    def connected(*_: object, **options: object) -> Iterator[FakeFiguresService]:
        service.features = ("explanation_queue",) if options.get("workers") else ()
        yield service

    monkeypatch.setattr("xmirad.cli.commands.figures.connected", connected)
    monkeypatch.setattr("xmirad.figures.canvas.PRINT_DPI", 30)
    return service


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    for number in range(5):
        write_pixels(folder / "bright" / f"b{number}.png", [200, 200, 10, 9 * number])
        write_pixels(folder / "dark" / f"d{number}.png", [10, 9 * number, 200, 200])
    return folder


def _run(*args: object) -> Result:
    return CliRunner().invoke(app, ["figures", *map(str, args)])


def test_figures_are_written_and_their_captions_printed(data: Path, tmp_path: Path) -> None:
    result = _run(data, "-o", tmp_path / "out", "--only", "tsne,grid-activation", "--thumbnails")
    assert result.exit_code == 0, result.output
    assert "Two-dimensional t-SNE of the embeddings of tiny (n = 10)" in result.stdout
    assert "2 figures in" in result.stdout
    assert f"drawn: {tmp_path / 'out' / 'tsne.png'}" in result.stderr
    assert "Explaining tiny:" in result.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"figures.json", "tsne.png", "tsne.svg", "grid-activation.png", "grid-activation.svg"}


def test_the_outcome_is_printed_as_json(data: Path, tmp_path: Path) -> None:
    result = _run(data, "-o", tmp_path / "out", "--only", "tsne", "--json")
    document = json.loads(result.stdout)
    assert [figure["name"] for figure in document["figures"]] == ["tsne"]
    assert document["omitted"] == []


def test_the_plot_alone_needs_no_explainer(data: Path, tmp_path: Path, service: FakeFiguresService) -> None:
    assert _run(data, "-o", tmp_path / "out", "--only", "tsne").exit_code == 0
    assert service.features == ()


def test_occlusion_is_as_coarse_as_asked_for(data: Path, tmp_path: Path, service: FakeFiguresService) -> None:
    options = ("--window", 56, "--stride", 28, "--queries", "b1", "--results", 1)
    assert _run(data, "-o", tmp_path / "out", "--only", "grid-occlusion", *options).exit_code == 0
    (asked,) = service.asked
    assert (getattr(asked.method, "window", 0), getattr(asked.method, "stride", 0)) == (56, 28)


def test_a_map_that_fails_shows_in_the_exit_code(data: Path, tmp_path: Path, service: FakeFiguresService) -> None:
    service.refusals = [ItemNotFoundError("it is gone")]
    result = _run(data, "-o", tmp_path / "out", "--only", "grid-activation")
    assert result.exit_code == 5
    assert "it is gone [ITEM_NOT_FOUND]" in result.stdout


def test_a_figure_that_cannot_be_drawn_says_why_and_shows_in_the_exit_code(data: Path, tmp_path: Path) -> None:
    for file in (data / "dark").iterdir():
        file.unlink()
    result = _run(data, "-o", tmp_path / "out", "--only", "grid-activation")
    assert result.exit_code == 5
    assert "grid-activation: not drawn: a grid needs two classes or more" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--only", "umap"], "there is no figure 'umap'"),
        (["--only", "sanity"], "--control"),
        (["--only", "grid", "--queries", "absent"], "absent"),
    ],
)
def test_what_cannot_be_meant_is_usage(data: Path, tmp_path: Path, options: list[str], words: str) -> None:
    result = _run(data, "-o", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out" / "figures.json").exists()


def test_a_control_of_another_name_is_one_line(data: Path, tmp_path: Path) -> None:
    result = _run(data, "-o", tmp_path / "out", "--only", "sanity", "--control", "absent")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "error: no such model [MODEL_NOT_FOUND]"


def test_without_a_control_the_command_says_what_it_left_out(data: Path, tmp_path: Path) -> None:
    assert "--control" in _run(data, "-o", tmp_path / "out").stderr
    assert CONTROL.display_name not in (tmp_path / "out" / "figures.json").read_text()


def test_the_number_of_maps_and_their_time_are_said_beforehand(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmirad.figures.maps.COMPUTED_SECONDS", 0.0)
    result = _run(data, "-o", tmp_path / "out", "--only", "grid-activation", "--query", data / "bright" / "b1.png")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    announced = next(line for line in lines if "maps to show" in line)
    assert announced.startswith("3 maps to show: 3 by activation")
    estimate = next(line for line in lines if line.startswith("a map took"))
    assert "2 more take up to about" in estimate
    assert lines.index(announced) < lines.index(estimate)


def test_queries_are_named_by_id_file_or_path(data: Path, tmp_path: Path) -> None:
    asked = ("--query", "b1", "--query", data / "dark" / "d2.png", "--queries", "b3.png,d0")
    result = _run(data, "-o", tmp_path / "out", "--only", "grid-activation", *asked)
    assert result.exit_code == 0
    figure = json.loads((tmp_path / "out" / "figures.json").read_text())["figures"][0]
    assert [case["query"] for case in figure["details"]["cases"]] == ["b1.png", "d2.png", "b3.png", "d0.png"]
