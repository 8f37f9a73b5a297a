"""The rank that `explain` explains is the rank that `search` prints, over a live service."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from support.pictures import png
from support.sample_world import ARCHIVE, World, sample_world
from xmirad.cli.explaining import ExplainedPair, Follower, Named
from xmirad.cli.main import app
from xmirad.cli.pictures import query_picture
from xmirad.types import EncodedImage

OUTSIDE = 1000
QUERIES = {"in the archive": 0, "in the archive three times": 3, "of a patient": 7, "not in the archive": OUTSIDE}
OPTIONS = [
    "",
    "--exclude-query-item",
    "--top-k 3",
    "--patient P2 --issuer clinic --patient-policy exclude",
    "--patient P2 --issuer clinic --patient-policy flag --exclude-self",
    "--patient-policy group",
    "--patient-policy group --exclude-query-item --filter-split train",
    "--filter-label pneumonia --filter-label covid --filter-years 2003-2019",
    "--filter-modality DX --filter-sex F --exact",
    "--min-score 0.2 --exact",
    "--more-like {item}",
    "--more-like {item} --exclude-query-item --filter-dataset set-1",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with sample_world(tmp_path_factory.mktemp("ranks")) as made:
        yield made


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[Named]:
    """What would be explained; nothing is computed."""
    seen: list[Named] = []

    def follow(_self: Follower, _client: object, _source: object, pair: ExplainedPair, **_: object) -> None:
        seen.append(pair.result)

    monkeypatch.setattr(Follower, "follow", follow)
    return seen


def _run(world: World, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["--address", world.service.address, *words, "-a", ARCHIVE])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def _searched(world: World, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_run(world, "search", *words, "--json"))["results"]
    return found


@pytest.mark.parametrize("words", OPTIONS)
@pytest.mark.parametrize("number", QUERIES.values(), ids=QUERIES)
def test_explain_explains_the_rank_that_search_prints(
    world: World, explained: list[Named], tmp_path: Path, number: int, words: str
) -> None:
    query = tmp_path / "query.png"
    query.write_bytes(png(number).data)
    options = words.format(item=world.names[5]).split()

    rows = _searched(world, str(query), *options)
    for row in (rows[0], rows[-1]):
        _run(world, "explain", str(query), str(row["rank"]), *options)

    assert [(each.item, each.rank, each.score) for each in explained] == [
        (row["item"], row["rank"], row["score"]) for row in (rows[0], rows[-1])
    ]


def test_a_rank_behind_the_last_result_is_refused(world: World) -> None:
    refusal = _run(world, "explain", world.names[5], "900", code=2)

    assert "result is rank 900, but the search finds 24 results" in refusal


def test_results_are_named_and_the_query_itself_is_marked(world: World, explained: list[Named], tmp_path: Path) -> None:
    query = tmp_path / "query.png"
    query.write_bytes(png(3).data)

    lines = _run(world, "search", str(query)).splitlines()
    said = _run(world, "explain", str(query), "1")

    marked = [line.split()[2] for line in lines if "(the query itself)" in line]
    assert sorted(marked) == ["sample-22", "sample-23", "sample-3"]
    assert said.startswith(f"explains {lines[1].split()[2]} (rank 1, score 1.0000")
    assert explained[0].is_query


def test_an_item_that_is_named_is_searched_with_and_explained(world: World, explained: list[Named]) -> None:
    name = world.names[5]
    rows = _searched(world, name)

    _run(world, "explain", name, "2")
    _run(world, "explain", name, world.names[6])

    assert [(each.item, each.title) for each in explained] == [
        (rows[1]["item"], rows[1]["identity"]["external_id"]),
        (world.names[6], "sample-6"),
    ]


def test_the_page_shows_query_and_results_with_their_pictures(world: World, tmp_path: Path) -> None:
    query = tmp_path / "query.png"
    query.write_bytes(png(3).data)

    _run(world, "search", str(query), "-k", "4", "-o", str(tmp_path / "page.html"))

    page = (tmp_path / "page.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == 5
    assert "sample-22" in page


def test_the_picture_of_a_query_is_what_the_services_decoder_makes_of_it(world: World) -> None:
    seen = query_picture(world.client, png(3))
    stored = query_picture(world.client, world.names[3])

    assert query_picture(world.client, EncodedImage(b"not an image")) is None
    assert query_picture(world.client, "archives/samples/items/0a1b2c3d-0000-4000-8000-000000000000") is None
    assert seen is not None
    assert stored is not None
    with Image.open(BytesIO(png(3).data)) as image:
        assert np.array_equal(seen.pixels, np.asarray(image.convert("RGB")))
    assert (seen.is_whole, stored.is_whole, stored.pixels.shape) == (True, False, (224, 224, 3))
