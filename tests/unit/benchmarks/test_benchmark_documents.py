"""Runs of suites, kept in a file, compared with the reference, and shown on a page."""

import importlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from support.project import ROOT
from xmirad.errors import InvalidRequestError

STAGE_SECONDS = 0.01


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


def suite(stage: Callable[[], object]) -> Callable[[object], Iterator[object]]:
    """A tiny suite: one stage beside a sleep that it should take as long as."""
    figures, seconds_of = module("figures"), module("clock").seconds_of

    def measured(_: object) -> Iterator[object]:
        pairs = [(seconds_of(stage), seconds_of(time.sleep, STAGE_SECONDS)) for _ in range(5)]
        ours, theirs = zip(*pairs, strict=True)
        yield figures.Figure("stage", "s", ours, "a sleep", theirs, figures.at_most(1.2))

    return measured


def figures_of(folder: Path, file: Path, **suites: Callable[[object], Iterator[object]]) -> object:
    def keep(name: str, measured: object) -> None:
        module("document").record(file, machine(), {name: measured})

    found: object = module("running").run_suites(run(folder), suites, tell=lambda _: None, keep=keep)
    return found


def test_a_stage_that_was_slowed_down_on_purpose_is_a_loss(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    usual, slowed = suite(lambda: time.sleep(STAGE_SECONDS)), suite(lambda: time.sleep(3 * STAGE_SECONDS))
    figures_of(tmp_path, reference, tiny=usual)
    known = module("reference").read_reference(reference)

    again = module("reference").compare(figures_of(tmp_path, tmp_path / "again.json", tiny=usual), known)
    later = module("reference").compare(figures_of(tmp_path, tmp_path / "later.json", tiny=slowed), known)

    assert (list(again.losses), again.compared) == ([], 1)
    assert [loss.partition(": the")[0] for loss in later.losses] == ["tiny: stage"]


def test_suites_of_several_runs_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    usual = suite(lambda: time.sleep(STAGE_SECONDS))
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


def test_a_missing_reference_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="no benchmarks/reference"):
        module("reference").read_reference(tmp_path / "reference.json")


def test_the_page_tells_every_promise_and_every_figure(tmp_path: Path) -> None:
    file, promises = tmp_path / "bench.json", module("promises").Promise
    figures_of(tmp_path, file, tiny=suite(lambda: time.sleep(3 * STAGE_SECONDS)))
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
