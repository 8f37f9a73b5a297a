"""What a benchmark's figure says, and when it counts as a loss against the reference."""

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from benchmarks.figures import Better, Figure
    from benchmarks.reference import Comparison


def figure(
    values: tuple[float, ...], baselines: tuple[float, ...], *, better: str = "higher", limit: float | None = None
) -> "Figure":
    figures = importlib.import_module("benchmarks.figures")
    target = figures.Target(figures.Better(better), limit)
    made: Figure = figures.Figure("speed", "1/s", values, "bound", baselines, target)
    return made


def compared(found: "Figure", *, known: Mapping[str, float]) -> "Comparison":
    reference = importlib.import_module("benchmarks.reference")
    figures = {name: {"ratio": ratio} for name, ratio in known.items()}
    made: Comparison = reference.compare({"suite": [found]}, {"suites": {"suite": {"figures": figures}}})
    return made


def losses(found: "Figure", *, before: float) -> Sequence[str]:
    return compared(found, known={found.name: before}).losses


def test_a_ratio_is_the_median_of_the_repeats_ratios() -> None:
    found = figure((10.0, 40.0, 9.0), (10.0, 10.0, 10.0))

    assert found.ratio == 1.0
    assert found.value == 10.0


def test_one_baseline_serves_every_repeat() -> None:
    assert figure((10.0, 20.0, 30.0), (10.0,)).ratio == 2.0


def test_the_interval_lies_around_the_ratio_and_within_the_repeats() -> None:
    values = tuple(np.random.default_rng(1).normal(100, 5, size=20))
    found = figure(values, (100.0,))

    assert found.interval is not None
    low, high = found.interval
    assert min(values) / 100 <= low < found.ratio < high <= max(values) / 100


def test_two_repeats_have_no_interval() -> None:
    assert figure((1.0, 2.0), (1.0, 1.0)).interval is None


@pytest.mark.parametrize(
    ("better", "limit", "value", "met"),
    [
        ("higher", 0.85, 85.0, True),
        ("higher", 0.85, 84.0, False),
        ("lower", 1.5, 150.0, True),
        ("lower", 1.5, 151.0, False),
    ],
)
def test_a_target_is_met_on_its_own_side(better: "Better", limit: float, value: float, met: bool) -> None:
    assert figure((value,), (100.0,), better=better, limit=limit).is_met is met


def test_a_figure_without_a_target_is_neither_met_nor_missed() -> None:
    assert figure((1.0,), (1.0,)).is_met is None


@pytest.mark.parametrize(("better", "values"), [("higher", (79.0, 78.0, 77.0)), ("lower", (126.0, 127.0, 128.0))])
def test_a_figure_wholly_worse_than_the_reference_by_a_fifth_is_a_loss(better: str, values: tuple[float, ...]) -> None:
    told = losses(figure(values, (100.0,), better=better), before=1.0)

    assert len(told) == 1
    assert "speed" in told[0]


@pytest.mark.parametrize(("better", "values"), [("higher", (81.0, 70.0, 60.0)), ("lower", (124.0, 140.0, 150.0))])
def test_an_interval_that_reaches_into_what_is_allowed_is_no_loss(better: str, values: tuple[float, ...]) -> None:
    assert losses(figure(values, (100.0,), better=better), before=1.0) == []


def test_a_figure_that_the_reference_does_not_know_is_no_loss() -> None:
    reference = importlib.import_module("benchmarks.reference")

    found = reference.compare({"new": [figure((1.0, 1.0, 1.0), (100.0,))]}, {"suites": {}})

    assert found.losses == []
    assert (found.compared, list(found.unknown)) == (0, ["new: speed"])


def test_a_check_that_compares_nothing_fails() -> None:
    found = compared(figure((1.0, 1.0), (1.0,)), known={"speed": 1.0})

    assert [problem.partition(":")[0] for problem in found.problems] == ["nothing was compared"]


def test_a_figure_that_is_gone_fails_the_check_by_name() -> None:
    found = compared(figure((1.0, 1.0, 1.0), (1.0,)), known={"speed": 1.0, "haste": 1.0})

    assert found.losses == []
    assert list(found.missing) == ["suite: haste"]
    assert [problem.partition(": the reference has")[0] for problem in found.problems] == ["suite: haste"]
    assert "suite: haste: the reference has this figure, the run has not" in found.text


def test_figures_of_suites_that_did_not_run_are_not_missed() -> None:
    reference = importlib.import_module("benchmarks.reference")
    suites = {name: {"figures": {"speed": {"ratio": 1.0}}} for name in ("suite", "other")}

    found = reference.compare({"suite": [figure((1.0, 1.0, 1.0), (1.0,))]}, {"suites": suites})

    assert list(found.problems) == []


def test_a_figure_without_an_interval_is_told_as_not_judged() -> None:
    found = compared(figure((0.1, 0.1), (1.0,)), known={"speed": 1.0})

    assert list(found.not_judged) == ["suite: speed"]
    assert "not judged, too few repeats: suite: speed" in found.text
    assert "0 figures compared, 1 not judged" in found.text


def test_what_was_never_refused_may_be_refused_as_often_as_is_allowed() -> None:
    few, many = (figure((percent,) * 3, (5.0,), better="lower", limit=1.0) for percent in (2.0, 7.0))

    assert losses(few, before=0.0) == []
    assert len(losses(many, before=0.0)) == 1


def test_repeats_of_the_baseline_match_those_of_the_figure() -> None:
    with pytest.raises(ValueError, match="3 values, 2 of the baseline"):
        figure((1.0, 1.0, 1.0), (1.0, 1.0))
