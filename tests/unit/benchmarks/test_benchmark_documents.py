"""Runs of suites, kept in a file, compared with the reference, and shown on a page."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from support.project import ROOT
from xmirad.errors import InvalidRequestError

STAGE_SECONDS = (0.010, 0.011, 0.009, 0.010, 0.012)


def module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def machine(**changed: object) -> object:
    usual = {"cpu": "Abacus 9000", "cores": 2, "memory_gigabytes": 8.0, "system": "Linux", "python": "3.11"}
    return module("machine").Machine(**{**usual, "packages": {"numpy": "2"}, "threads": {"abacus": "1"}, **changed})


def run(folder: Path) -> object:
    """A run whose model is a blank sheet."""
    model = SimpleNamespace(preprocessing=SimpleNamespace(crop_size=1))
    embedder = SimpleNamespace(artifact=model, embed=lambda pixels: np.zeros(len(pixels)))
    return module("run").Run(None, model, embedder, 0.0, 2, False, folder)


def suite(times_as_long: float = 1.0) -> Callable[[object], Iterator[object]]:
    """A tiny suite: made-up seconds of one stage beside those of a sleep that it should take as long as."""
    figures = module("figures")

    def measured(_: object) -> Iterator[object]:
        ours = tuple(times_as_long * seconds for seconds in STAGE_SECONDS)
        yield figures.Figure("stage", "s", ours, "a sleep", STAGE_SECONDS, figures.at_most(1.2))

    return measured


def figures_of(folder: Path, file: Path, **suites: Callable[[object], Iterator[object]]) -> object:
    def keep(name: str, measured: object) -> None:
        module("document").record(file, machine(), {name: measured})

    found: object = module("running").run_suites(run(folder), suites, tell=lambda _: None, keep=keep)
    return found


def test_a_stage_that_was_slowed_down_on_purpose_is_a_loss(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    usual, slowed = suite(), suite(times_as_long=3)
    figures_of(tmp_path, reference, tiny=usual)
    known = module("reference").read_reference(machine(), reference)

    again = module("reference").compare(figures_of(tmp_path, tmp_path / "again.json", tiny=usual), known)
    later = module("reference").compare(figures_of(tmp_path, tmp_path / "later.json", tiny=slowed), known)

    assert (list(again.losses), again.compared) == ([], 1)
    assert [loss.partition(": the")[0] for loss in later.losses] == ["tiny: stage"]


def test_suites_of_several_runs_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    usual = suite()
    figures_of(tmp_path, file, first=usual)
    before = module("document").read_document(file)

    figures_of(tmp_path, file, second=usual)

    document = module("document").read_document(file)
    assert list(document["suites"]) == ["first", "second"]
    assert document["suites"]["first"] == before["suites"]["first"]


def test_figures_of_two_machines_do_not_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    module("document").record(file, machine(), {})

    with pytest.raises(InvalidRequestError, match="another machine"):
        module("document").record(file, machine(cores=64), {})


@pytest.mark.parametrize("other", [{"cores": 64}, {"cpu": "Abacus 10000"}])
def test_a_run_is_not_compared_with_the_reference_of_another_machine(tmp_path: Path, other: dict[str, object]) -> None:
    file = tmp_path / "reference.json"
    module("document").record(file, machine(), {})

    with pytest.raises(InvalidRequestError, match=r"Abacus 9000 with 2 cores; this is Abacus"):
        module("reference").read_reference(machine(**other), file)


def test_a_missing_reference_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="no benchmarks/reference"):
        module("reference").read_reference(machine(), tmp_path / "reference.json")


def test_the_page_tells_every_promise_and_every_figure(tmp_path: Path) -> None:
    file, promises = tmp_path / "bench.json", module("promises").Promise
    figures_of(tmp_path, file, tiny=suite(times_as_long=3))
    document = module("document").read_document(file)
    rows = [
        promises("A stage", "at most 1.2", ["tiny: stage"], "It sleeps."),
        promises("A flight", "soon", ["tiny: flight"], ""),
    ]

    module("page").write_page(document, rows, tmp_path)

    text = (tmp_path / "performance.md").read_text("utf-8")
    assert "Abacus 9000" in text
    assert "| MISS | It sleeps. |" in text
    assert "| not measured |" in text
    assert "### tiny" in text
    assert (tmp_path / "pictures" / "performance-targets.svg").read_text("utf-8").startswith("<?xml")


def test_only_what_is_missed_without_a_remark_is_unexplained(tmp_path: Path) -> None:
    document = {"suites": {"tiny": {"figures": {"met": {"met": True}, "missed": {"met": False}}}}}
    rows = [
        module("promises").Promise(what, "", [f"tiny: {figure}"], remark)
        for what, figure, remark in (("a", "met", ""), ("b", "missed", "slow"), ("c", "missed", ""))
    ]

    assert [row.what for row in module("page").unexplained(document, rows)] == ["c"]


def test_every_promise_names_figures_of_suites_that_exist() -> None:
    suites = {name.stem for name in (ROOT / "benchmarks" / "suites").glob("*.py")}

    rows = module("promises").read_promises()

    assert len(rows) > 10
    assert {figure.split(": ")[0] for row in rows for figure in row.figures} <= suites


def test_every_figure_that_a_promise_names_is_in_the_reference() -> None:
    file = module("reference").REFERENCE
    if not file.exists():
        pytest.skip("there is no benchmarks/reference.json yet: a full run on a quiet machine, checked in, makes one")
    document = module("document").read_document(file)

    absent = [
        name
        for row in module("promises").read_promises()
        for name, figure in zip(row.figures, row.found(document), strict=True)
        if figure is None
    ]

    assert absent == []


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_the_plain_indexer_is_tried_with_every_core_at_the_network_and_none_at_reading(cores: int) -> None:
    indexer = module("plain_indexer")

    tried = indexer.divisions(cores)

    assert indexer.Division(cores, 0, 32) in tried
    assert len(tried) == len(set(tried))
    assert all(1 <= one.threads <= cores and one.readers <= cores for one in tried)
