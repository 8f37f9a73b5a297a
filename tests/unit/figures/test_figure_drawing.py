"""All figures drawn of a service in memory."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.fake_evaluation import CONTROL, MODEL, OTHER_NETWORK, pixel_item
from support.fake_figures import FakeFiguresService, three_classes
from xmirad.client.explanation_types import AttentionMethod
from xmirad.datasets import Dataset
from xmirad.errors import (
    AccessDeniedError,
    BackendUnavailableError,
    InternalError,
    InvalidRequestError,
    ItemNotFoundError,
    ModelNotFoundError,
)
from xmirad.evaluation.options import SaliencyOptions, Silence, Stage
from xmirad.evaluation.uploading import evaluation_archive
from xmirad.figures.catalog import NAMES
from xmirad.figures.drawing import draw_figures
from xmirad.figures.index import DrawnFigure, Omission, Outcome
from xmirad.figures.options import FiguresOptions

QUICK = SaliencyOptions(in_flight=2, patience_seconds=0.05, pause_seconds=0.001)
OVERLAPPING = ("grid-activation", "control-activation", "sanity")
OPTIONS = FiguresOptions(maps=QUICK, pairs_per_class=2, control=CONTROL.display_name)


@pytest.fixture(autouse=True)
def _coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmirad.figures.canvas.PRINT_DPI", 30)


def drawn(
    service: FakeFiguresService, dataset: Dataset, folder: Path, options: FiguresOptions = OPTIONS
) -> dict[str, Outcome]:
    outcomes = draw_figures(service, dataset, folder, options=options, progress=Silence())
    return {outcome.name: outcome for outcome in outcomes}


def figure(outcomes: dict[str, Outcome], name: str) -> DrawnFigure:
    outcome = outcomes[name]
    assert isinstance(outcome, DrawnFigure)
    return outcome


def omitted(outcomes: dict[str, Outcome], name: str) -> Omission:
    outcome = outcomes[name]
    assert isinstance(outcome, Omission)
    return outcome


def only(*names: str, **changes: Any) -> FiguresOptions:  # noqa: ANN401 - any option
    return replace(OPTIONS, only=names, **changes)


@pytest.mark.slow
def test_every_figure_is_drawn_with_a_caption_that_names_model_and_number(tmp_path: Path) -> None:
    outcomes = drawn(FakeFiguresService(), three_classes(tmp_path / "data"), tmp_path / "out", replace(OPTIONS))
    assert sorted(outcomes) == sorted(NAMES)
    for name in NAMES:
        each = figure(outcomes, name)
        assert "pixels (digest ab12ab12ab12)" in each.caption
        assert "n = " in each.caption
        assert (tmp_path / "out" / f"{name}.svg").read_text("utf-8").startswith("<?xml")
        assert (tmp_path / "out" / each.file).is_file()
    document = json.loads((tmp_path / "out" / "figures.json").read_text("utf-8"))
    assert [entry["name"] for entry in document["figures"]] == list(NAMES)


@pytest.mark.slow
def test_equal_inputs_give_equal_files(tmp_path: Path) -> None:
    dataset = three_classes(tmp_path / "data")
    names = ("tsne", "grid-activation", "sanity")
    for folder in ("one", "two"):
        drawn(FakeFiguresService(), dataset, tmp_path / folder, only(*names, thumbnails=True))
    for name in names:
        for kind in ("png", "svg"):
            one, two = ((tmp_path / folder / f"{name}.{kind}").read_bytes() for folder in ("one", "two"))
            assert one == two


def test_the_plot_stars_the_image_nearest_to_each_centroid(tmp_path: Path) -> None:
    service = FakeFiguresService()
    tsne = figure(drawn(service, three_classes(tmp_path / "d"), tmp_path / "o", only("tsne")), "tsne")
    assert tsne.numbers["n"] == 12
    assert tsne.details["classes"] == {"normal": 4, "pneumonia": 4, "COVID-19": 4}
    stars = tsne.details["stars"]
    assert list(stars) == ["normal", "pneumonia", "COVID-19"]
    assert 0 <= float(tsne.numbers["trustworthiness"]) <= 1
    assert {"silhouette, overall", "silhouette, normal", "star, normal"} <= set(tsne.numbers)
    # The first image of a class looks like another class, so it is nobody's center.
    assert all(star["file"] not in ("i00.png", "i01.png", "i02.png") for star in stars.values())
    assert service.asked == []


def test_a_grid_shows_three_results_of_a_query_of_each_class_in_either_panel(tmp_path: Path) -> None:
    service = FakeFiguresService()
    dataset = three_classes(tmp_path / "data", each=6)
    grid = figure(drawn(service, dataset, tmp_path / "out", only("grid-occlusion")), "grid-occlusion")
    cases = grid.details["cases"]
    assert [(case["panel"], case["class"]) for case in cases] == [
        (panel, label) for panel in "AB" for label in ("normal", "pneumonia", "COVID-19")
    ]
    assert [case["correct"] for case in cases] == [3, 3, 3, 0, 0, 0]
    assert all(len(case["results"]) == 3 for case in cases)
    assert len(service.asked) == grid.numbers["maps"] == 18
    assert (grid.numbers["failed"], grid.details["failed"]) == (0, [])
    assert not any(asked.published_fidelity for asked in service.asked)


def test_the_control_explains_the_same_pairs_with_random_weights(tmp_path: Path) -> None:
    service = FakeFiguresService()
    names = ("grid-activation", "control-activation")
    outcomes = drawn(service, three_classes(tmp_path / "data"), tmp_path / "out", only(*names))
    archives = [asked.result.split("/")[1] for asked in service.asked]
    assert archives.count(evaluation_archive("tiny", CONTROL)) == archives.count(evaluation_archive("tiny", MODEL))
    one, other = (figure(outcomes, name) for name in names)
    assert [case["query"] for case in one.details["cases"]] == [case["query"] for case in other.details["cases"]]
    assert (one.numbers["model"], other.numbers["model"]) == ("pixels", "untrained")
    assert "random weights" in other.caption


def test_sanity_sums_up_every_method_by_both_measures(tmp_path: Path) -> None:
    sanity = figure(
        drawn(FakeFiguresService(), three_classes(tmp_path / "d"), tmp_path / "o", only("sanity")), "sanity"
    )
    assert sanity.numbers["n"] == 6
    assert -1 <= float(sanity.numbers["occlusion, SSIM, trained and random weights, same images"]) <= 1
    methods = sanity.details["methods"]
    assert sorted(methods) == ["activation", "attention", "occlusion"]
    for method in methods.values():
        assert method["pairs"] == 6
        for measure in ("ssim", "rank_correlation"):
            assert method[measure]["same_pair"]["n"] == 6
            assert method[measure]["other_pairs"]["n"] >= 10
            low, high = method[measure]["same_pair"]["mean_interval"]
            assert low <= method[measure]["same_pair"]["mean"] <= high


def test_a_map_is_asked_for_once_however_many_figures_show_it(tmp_path: Path) -> None:
    service = FakeFiguresService()
    drawn(service, three_classes(tmp_path / "data"), tmp_path / "out", only(*OVERLAPPING))
    asked = [(asked.query, asked.result, asked.method) for asked in service.asked]
    assert len(asked) == len(set(asked))


def test_progress_counts_all_maps_from_the_first_one_on(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []

    def note(stage: Stage, done: int, total: int, failed: int = 0) -> None:
        if stage is Stage.EXPLAIN:
            steps.append((done, total))

    list(
        draw_figures(
            FakeFiguresService(), three_classes(tmp_path / "d"), tmp_path / "o", options=OPTIONS, progress=note
        )
    )
    assert steps == [(number, len(steps)) for number in range(1, len(steps) + 1)]


def test_maps_that_fail_are_shown_as_such_and_listed(tmp_path: Path) -> None:
    service = FakeFiguresService(outcomes={AttentionMethod: InternalError("it broke")})
    outcomes = drawn(service, three_classes(tmp_path / "d"), tmp_path / "o", only("grid-attention", "sanity"))
    grid = figure(outcomes, "grid-attention")
    assert grid.numbers["maps"] == 0
    assert "attention map on" in grid.details["failed"][0]
    assert "could not be had" in grid.caption
    assert len(figure(outcomes, "sanity").details["failed"]) == 12
    sanity = figure(outcomes, "sanity").details["methods"]
    assert (sanity["attention"]["pairs"], sanity["occlusion"]["pairs"]) == (0, 6)
    assert "Left out of attention, because a map is lacking: 6 of 6 pairs." in figure(outcomes, "sanity").caption


def test_one_map_that_is_refused_costs_no_other(tmp_path: Path) -> None:
    service = FakeFiguresService(refusals=[ItemNotFoundError("the item is gone")])
    grid = figure(
        drawn(service, three_classes(tmp_path / "d"), tmp_path / "o", only("grid-activation")), "grid-activation"
    )
    assert grid.numbers["failed"] == 1
    assert "ITEM_NOT_FOUND" in grid.details["failed"][0]


def test_without_a_queue_the_plot_is_drawn_and_the_rest_says_why(tmp_path: Path) -> None:
    service = FakeFiguresService(features=("explanations",))
    outcomes = drawn(service, three_classes(tmp_path / "data"), tmp_path / "out")
    figure(outcomes, "tsne")
    assert {omitted(outcomes, name).reason for name in NAMES if name != "tsne"} == {"BACKEND_UNAVAILABLE"}
    document = json.loads((tmp_path / "out" / "figures.json").read_text("utf-8"))
    assert "xmirad up" in document["omitted"][0]["message"]


def test_one_class_has_a_plot_and_a_check_and_no_grid(tmp_path: Path) -> None:
    items = tuple(pixel_item(tmp_path / f"i{n}.png", [200, 10, n, 3 * n], labels=("x",)) for n in range(9))
    outcomes = drawn(FakeFiguresService(), Dataset("one", items), tmp_path / "out")
    assert not any(name.startswith("silhouette") for name in figure(outcomes, "tsne").numbers)
    assert figure(outcomes, "sanity").numbers["n"] == 2
    assert "two classes" in omitted(outcomes, "grid-occlusion").message
    assert "two classes" in omitted(outcomes, "control-activation").message


def test_images_without_labels_have_a_plot_without_stars(tmp_path: Path) -> None:
    items = tuple(pixel_item(tmp_path / f"i{n}.png", [200, 10, n, 3 * n]) for n in range(9))
    outcomes = drawn(FakeFiguresService(), Dataset("bare", items), tmp_path / "out", only("tsne", thumbnails=True))
    assert figure(outcomes, "tsne").details["stars"] == {}


def test_classes_of_two_images_and_few_items_still_make_grids(tmp_path: Path) -> None:
    items = tuple(
        pixel_item(tmp_path / f"i{n}.png", [200 * (n % 2), 10, n, 190 * ((n + 1) % 2)], labels=("xy"[n % 2],))
        for n in range(4)
    )
    outcomes = drawn(FakeFiguresService(), Dataset("few", items), tmp_path / "out")
    assert "8 images or more" in omitted(outcomes, "tsne").message
    grid = figure(outcomes, "grid-activation")
    assert "No query of x is like that; shown is the nearest to it, 1 of 3 correct." in grid.caption


def test_equal_embeddings_have_nothing_to_lay_out(tmp_path: Path) -> None:
    items = tuple(pixel_item(tmp_path / f"i{n}.png", [n + 1] * 4, labels=("xy"[n % 2],)) for n in range(9))
    assert (
        "all embeddings are the same"
        in omitted(drawn(FakeFiguresService(), Dataset("flat", items), tmp_path / "out", only("tsne")), "tsne").message
    )


def test_a_large_archive_is_drawn_from_by_the_seed(tmp_path: Path) -> None:
    dataset = three_classes(tmp_path / "data")
    tsne = figure(drawn(FakeFiguresService(), dataset, tmp_path / "out", only("tsne", max_points=9)), "tsne")
    assert (tsne.numbers["n"], tsne.numbers["of"]) == (9, 12)
    assert "n = 9, drawn from 12" in tsne.caption


def test_what_the_caller_may_not_see_is_left_out_and_the_rest_is_drawn(tmp_path: Path) -> None:
    service = FakeFiguresService(shows_embeddings=False, image_error=AccessDeniedError("the scope identity is missing"))
    outcomes = drawn(service, three_classes(tmp_path / "data"), tmp_path / "out")
    assert omitted(outcomes, "tsne").reason == "ACCESS_DENIED"
    assert omitted(outcomes, "grid-attention").reason == "ACCESS_DENIED"
    figure(outcomes, "sanity")


def test_images_that_could_not_be_stored_are_named(tmp_path: Path) -> None:
    dataset = three_classes(tmp_path / "data")
    dataset.items[3].path.write_bytes(b"no image")
    tsne = figure(drawn(FakeFiguresService(), dataset, tmp_path / "out", only("tsne")), "tsne")
    assert (tsne.numbers["n"], len(tsne.details["left_out"])) == (11, 1)
    assert "could not be stored and take no part: 1" in tsne.caption


def test_named_queries_are_shown_in_their_order(tmp_path: Path) -> None:
    options = only("grid-attention", queries=("i07", "i03.png"))
    grid = figure(drawn(FakeFiguresService(), three_classes(tmp_path / "d"), tmp_path / "o", options), "grid-attention")
    assert [case["query"] for case in grid.details["cases"]] == ["i07.png", "i03.png"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (only("umap"), InvalidRequestError),
        (only("grid", queries=("absent",)), InvalidRequestError),
        (only("sanity", control=""), InvalidRequestError),
        (only("sanity", control=MODEL.digest), InvalidRequestError),
        (only("sanity", control=OTHER_NETWORK.digest), InvalidRequestError),
        (only("sanity", control="absent"), ModelNotFoundError),
        (only("tsne", model="absent"), ModelNotFoundError),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_stored(
    tmp_path: Path, options: FiguresOptions, error: type[Exception]
) -> None:
    service = FakeFiguresService()
    with pytest.raises(error):
        drawn(service, three_classes(tmp_path / "data"), tmp_path / "out", options)
    assert service.uploads == 0


def test_a_service_that_goes_away_ends_the_run_and_a_later_one_goes_on(tmp_path: Path) -> None:
    dataset = three_classes(tmp_path / "data")
    service = FakeFiguresService(refusals=[BackendUnavailableError("the queue is away")])
    with pytest.raises(BackendUnavailableError):
        drawn(service, dataset, tmp_path / "out", only("tsne", "grid-activation"))
    assert [entry["name"] for entry in json.loads((tmp_path / "out" / "figures.json").read_text())["figures"]] == [
        "tsne"
    ]
    figure(drawn(service, dataset, tmp_path / "out", only("grid-activation")), "grid-activation")
    assert len(json.loads((tmp_path / "out" / "figures.json").read_text())["figures"]) == 2
