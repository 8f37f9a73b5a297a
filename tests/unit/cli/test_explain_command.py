import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from support.fake_explaining_client import DONE, NAME, FakeExplainingClient
from xmirad import ids
from xmirad.cli.main import app
from xmirad.cli.pictures import Picture
from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, OcclusionMethod
from xmirad.client.types import Upload
from xmirad.errors import InvalidImageError
from xmirad.saliency.geometry import Point
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import EncodedImage

ITEM = "46324bd2-421c-4efc-b270-d983df28c904"
PICTURE = Picture(np.full((20, 30, 3), 90, np.uint8), is_whole=True)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeExplainingClient:
    client = FakeExplainingClient()
    client.add_item("chest", ITEM)
    monkeypatch.setattr("xmirad.cli.explaining.query_picture", lambda *_: PICTURE)
    for command in ("archive", "explain", "search"):
        monkeypatch.setattr(f"xmirad.cli.commands.{command}.connected", client.connected)
    monkeypatch.setattr("xmirad.cli.warming.POLL_SECONDS", 0.0)
    return client


@pytest.fixture
def query(tmp_path: Path) -> str:
    file = tmp_path / "query.png"
    file.write_bytes(b"an image")
    return str(file)


def _run(*args: str) -> Result:
    return CliRunner().invoke(app, ["explain", *args, "--archive", "chest"])


def _asked(client: FakeExplainingClient) -> dict[str, object]:
    return next(call for name, call in client.calls if name == "create_explanation")


def test_watching_shows_every_step_and_ends_with_the_fidelity(client: FakeExplainingClient, query: str) -> None:
    result = _run(query, ITEM, "--watch")

    lines = result.stdout.splitlines()
    assert lines[0] == f"explains pat-7.png (normal), item {ITEM}"
    assert lines[1] == "queued, 0 of 9 windows"
    assert lines[2].startswith("running, 4 of 9 windows, approximate map of the result (estimated error 50%")
    assert lines[3] == "succeeded, exact map of the result (previews were off by 40%)"
    assert lines[4].endswith("better than chance (p = 0.33: fidelity +0.300, above all 2 controls, the best +0.200)")
    assert lines[-1] == "Decision support; not a diagnosis."
    assert "not measured" not in result.stdout


def test_without_watching_the_exact_map_is_enough(client: FakeExplainingClient, query: str) -> None:
    result = _run(query, ITEM)

    assert result.exit_code == 0
    assert "fidelity" not in result.stdout
    assert result.stdout.splitlines()[1].startswith("succeeded, exact map")
    assert "better than chance is not measured yet: the same command with --watch waits for it" in result.stdout


def test_a_map_that_is_there_is_not_waited_for(client: FakeExplainingClient, query: str) -> None:
    client.first, client.later = DONE, []

    assert _run(query, ITEM).stdout.splitlines()[1].startswith("succeeded")


@pytest.mark.parametrize(("name", "form"), [("why.png", "PNG"), ("why.JPG", "JPEG"), ("why.jpeg", "JPEG")])
def test_the_file_holds_a_figure_of_both_images(
    client: FakeExplainingClient, query: str, tmp_path: Path, name: str, form: str
) -> None:
    result = _run(query, ITEM, "-o", str(tmp_path / name))

    assert result.exit_code == 0
    with Image.open(tmp_path / name) as image:
        assert (image.format, image.width > 2 * 400) == (form, True)
    assert _asked(client)["include_overlay"] is False
    assert f"written: {tmp_path / name}" in result.stdout.splitlines()
    assert [file.name for file in tmp_path.glob(".*")] == []


def test_a_caller_without_the_scope_identity_gets_a_figure_without_the_pictures_of_items(
    client: FakeExplainingClient, query: str, tmp_path: Path
) -> None:
    client.withholds_identity = True

    result = _run(query, ITEM, "-o", str(tmp_path / "why.png"))

    assert result.stdout.startswith(f"explains {ITEM} (normal)")
    assert (tmp_path / "why.png").exists()


def test_the_overlay_alone_is_written_where_it_is_asked_for(
    client: FakeExplainingClient, query: str, tmp_path: Path
) -> None:
    assert _run(query, ITEM, "--overlay-only", "-o", str(tmp_path / "why.png")).exit_code == 0

    assert (tmp_path / "why.png").read_bytes() == b"exact"
    assert _asked(client)["include_overlay"] is True


def test_a_file_for_numpy_holds_the_values(client: FakeExplainingClient, query: str, tmp_path: Path) -> None:
    _run(query, ITEM, "-o", str(tmp_path / "why.npy"))

    assert np.array_equal(np.load(tmp_path / "why.npy"), DONE.maps[0].values)


def test_json_describes_the_map_without_its_pixels(client: FakeExplainingClient, query: str) -> None:
    found = json.loads(_run(query, ITEM, "--json").stdout)

    assert (found["name"], found["state"]) == (NAME, "succeeded")
    assert (found["result"]["title"], found["result"]["labels"]) == ("pat-7.png", ["normal"])
    assert found["maps"][0]["maximum"] == 0.25
    assert "values" not in found["maps"][0]


def _upload(client: FakeExplainingClient, *contents: bytes) -> list[str]:
    client.archives["chest"].clear()
    uploads = [Upload(EncodedImage(data), str(n), external_id=f"x{n}") for n, data in enumerate(contents)]
    list(client.upload("chest", uploads))
    return list(client.archives["chest"])


def test_a_rank_names_an_item_of_the_search(client: FakeExplainingClient, query: str) -> None:
    names = _upload(client, b"0", b"1")

    result = _run(query, "2", "--contrast", "1")

    asked = _asked(client)
    assert (asked["item"], asked["contrast_item"]) == (names[1], names[0])
    assert asked["explained_image"] is ExplainedImage.QUERY
    assert result.stdout.startswith("explains x1 (rank 2, score 0.5000, no label)")


def test_a_rank_that_is_the_query_itself_is_explained_and_said(client: FakeExplainingClient, query: str) -> None:
    names = _upload(client, Path(query).read_bytes(), b"1")

    itself, other = _run(query, "1"), _run(query, "1", "--exclude-self")

    asked = [call["item"] for name, call in client.calls if name == "create_explanation"]
    assert asked == names
    assert "this result is the query itself" in itself.stderr
    assert "2 names the next result" in itself.stderr
    assert "the query itself" not in other.stderr


RANKING_OPTIONS = [
    "",
    "--exclude-query-item",
    "--patient P1 --patient-policy exclude",
    "--patient P1 --issuer I --patient-policy group --exact",
    "--filter-label normal --filter-split test --filter-years 2015-2020 --filter-ages 40-60 --filter-sex F",
    "--filter-dataset d --filter-source s --filter-modality DX --filter-body-part CHEST --filter-view-position PA",
    "--min-score 0.1 --top-k 7",
    f"--more-like {ITEM}",
]


@pytest.mark.parametrize("words", RANKING_OPTIONS)
def test_explain_searches_as_search_does(client: FakeExplainingClient, query: str, words: str) -> None:
    _upload(client, b"0", b"1", b"2")

    runner = CliRunner()
    assert runner.invoke(app, ["search", query, "-a", "chest", "--no-evidence", *words.split()]).exit_code == 0
    assert _run(query, "2", *words.split()).exit_code == 0

    searched, explained = (call for name, call in client.calls if name == "search")
    liked = [getattr(call.pop("source"), "positive_items", None) for call in (searched, explained)]
    assert searched == explained
    assert liked[0] == liked[1]


def test_options_that_decide_ranks_are_said_to_be_unused_where_no_rank_is_named(
    client: FakeExplainingClient, query: str
) -> None:
    assert "--min-score decide which item has which rank" in _run(query, ITEM, "--min-score", "0.2").stderr


def test_a_file_of_the_archive_is_explained_by_itself_as_its_item(
    client: FakeExplainingClient, query: str, tmp_path: Path
) -> None:
    names = _upload(client, Path(query).read_bytes(), b"1")
    other = tmp_path / "other.png"
    other.write_bytes(b"another image")

    assert _run(query, "--self").exit_code == 0
    refused = _run(str(other), "--self")

    assert _asked(client)["item"] == names[0]
    assert (refused.exit_code, "is not in the archive chest" in refused.stderr) == (2, True)


def test_an_item_is_explained_by_itself(client: FakeExplainingClient) -> None:
    _run(ITEM, "--self")

    name = ids.item_name("chest", ITEM)
    assert (_asked(client)["source"], _asked(client)["item"]) == (name, name)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--window", "32", "--stride", "8", "--fill", "blur"], OcclusionMethod(window=32, stride=8, fill=Fill.BLUR)),
        (["--method", "activation", "--point", "3,4.5"], ActivationMethod(point=Point(3.0, 4.5))),
        (
            ["--method", "attention", "--form", "triplet", "--positive", ITEM, "--negative", ITEM],
            AttentionMethod(
                form="triplet",  # type: ignore[arg-type] # equal to its enum
                positive_items=(ids.item_name("chest", ITEM),),
                negative_items=(ids.item_name("chest", ITEM),),
            ),
        ),
    ],
)
def test_options_become_the_parameters_of_the_method(
    client: FakeExplainingClient, query: str, options: list[str], expected: object
) -> None:
    assert _run(query, ITEM, *options).exit_code == 0

    assert _asked(client)["method"] == expected


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ([ITEM, "--self"], "name either a result or --self"),
        ([], "name either a result or --self"),
        (["3rd"], "result must be the name or the id of an item, or a rank"),
        (["0"], "counted from 1: there is no rank 0"),
        (["2"], "result is rank 2, but the search finds 1 results"),
        ([ITEM, "--method", "attention", "--window", "10"], "--window needs --method occlusion; attention does not"),
        ([ITEM, "--method", "activation", "--stride", "10"], "--stride needs --method occlusion"),
        ([ITEM, "--form", "triplet"], "--form needs --method attention"),
        ([ITEM, "--overlay-only"], "--overlay-only needs a file"),
        ([ITEM, "--overlay-only", "-o", "why.jpg"], "the output's name must end with .png"),
        ([ITEM, "-o", "no-such-folder/why.png"], "the folder of the output, no-such-folder, does not exist"),
        ([ITEM, "--point", "1,2"], "--point needs --method activation"),
        ([ITEM, "--method", "activation", "--point", "1"], "point must be row,column"),
        ([ITEM, "--positive", ITEM], "--positive needs --method attention"),
        ([ITEM, "--method", "attention", "--signed"], "--signed needs --method occlusion or activation"),
        (
            [ITEM, "-o", "why.gif"],
            "must end with .png or .jpg or .jpeg or .npy, and why.gif does not",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(
    client: FakeExplainingClient, query: str, args: list[str], field: str
) -> None:
    result = _run(query, *args)

    assert result.exit_code == 2
    assert field in result.output


def test_a_failed_explanation_is_an_error(client: FakeExplainingClient, query: str) -> None:
    client.fail_with(InvalidImageError("the worker was lost three times"))

    result = _run(query, ITEM, "--watch")

    assert result.exit_code == 1
    assert "the worker was lost three times" in result.output


def test_a_dry_run_of_warming_only_says_what_it_takes(client: FakeExplainingClient) -> None:
    result = CliRunner().invoke(app, ["archive", "warm", "chest", "--dry-run"])

    assert "100 windows to compute take about 1 s and 4.0 of 100 MiB" in result.output
    assert [call["dry_run"] for _, call in client.calls] == [True]


def test_warming_can_be_waited_for(client: FakeExplainingClient) -> None:
    result = CliRunner().invoke(app, ["archive", "warm", "chest", "--limit", "2", "--wait"])

    assert result.stdout.splitlines() == ["chest: 2 of 2 items complete"]
    assert all(call["max_items"] == 2 for _, call in client.calls)


def test_no_image_of_ones_own_can_be_a_fill(client: FakeExplainingClient, query: str) -> None:
    found = _run(query, ITEM, "--fill", "image")

    assert found.exit_code == 2
    assert "zero" in found.output


def test_warming_of_which_nothing_moves_is_asked_for_again(
    client: FakeExplainingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmirad.cli.warming.STALLED_SECONDS", 0.0, raising=False)
    client.missing_windows = [100] * 6 + [0]

    result = CliRunner().invoke(app, ["archive", "warm", "chest", "--wait"])

    assert result.exit_code == 0
    asked_for = [name for name, call in client.calls if not call.get("dry_run")]
    assert len(asked_for) == 3  # once to begin with, and again after each look that found nothing new
    assert "nothing was computed for" in result.stderr


@pytest.mark.parametrize("missing", [[100], [100, 40]])
def test_waiting_for_what_is_given_up_ends_with_an_error(
    client: FakeExplainingClient, monkeypatch: pytest.MonkeyPatch, missing: list[int]
) -> None:
    monkeypatch.setattr("xmirad.cli.warming.STALLED_SECONDS", 0.0, raising=False)
    client.missing_windows = missing
    client.given_up_items = 1

    result = CliRunner().invoke(app, ["archive", "warm", "chest", "--wait"])

    assert result.exit_code == 5
    assert "chest: 1 of 2 items complete" in result.stdout
    assert "1 items are given up" in result.stderr


def test_warming_can_be_cancelled(client: FakeExplainingClient) -> None:
    result = CliRunner().invoke(app, ["archive", "warm", "chest", "--limit", "2", "--cancel"])

    assert result.stdout.splitlines() == ["chest: 1 images are not computed ahead any more"]
    assert [name for name, _ in client.calls] == ["cancel_warming"]
