import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from support.fake_evaluation import CONTROL, FakeService
from support.lab_data import pixels_set
from xmirad.datasets import Dataset
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.comparison.comparing import compare
from xmirad.evaluation.comparison.page import render_comparison
from xmirad.evaluation.comparison.tables import comparison_tables
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_json import comparison_to_json
from xmirad.metrics.pairing import paired_differences

QUICK = EvaluationOptions(resamples=20)
MAP = "mean_average_precision"
HOSTILE = "<script>alert('x')</script>"


def report(dataset: Dataset, *, beside: Beside | None = None, model: str = "") -> EvaluationReport:
    return evaluate(FakeService(), dataset, beside=beside or Beside(), options=replace(QUICK, model=model))


def better(found: EvaluationReport, by: float) -> EvaluationReport:
    """Return a report whose every query ranks better by as much."""
    records = tuple(
        replace(each, figures={name: min(1.0, value + by) for name, value in each.figures.items()})
        for each in found.queries
    )
    return replace(found, queries=records)


@pytest.fixture
def first(tmp_path: Path) -> EvaluationReport:
    return report(pixels_set(tmp_path, "set", count=24, seed=5))


def test_differences_are_those_of_the_same_queries_overall_and_by_class(first: EvaluationReport) -> None:
    second = better(first, 0.1)
    comparison = compare(first, second, seed=4, resamples=500)
    assert [(group.name, group.query_count) for group in comparison.groups] == [
        ("overall", 24),
        ("x", 8),
        ("y", 8),
        ("z", 8),
    ]
    for group in comparison.groups:
        pairs = [
            (one, other)
            for one, other in zip(first.queries, second.queries, strict=True)
            if group.name in ("overall", *one.labels)
        ]
        ours = np.array([[one.figures[MAP]] for one, _ in pairs])
        theirs = np.array([[other.figures[MAP]] for _, other in pairs])
        (expected,) = paired_differences(ours, theirs, seed=4, resamples=500)
        figure = group.figures[MAP]
        assert (figure.first, figure.second) == pytest.approx((np.mean(ours), np.mean(theirs)))
        assert figure.p_value == expected.p_value
        assert figure.difference.value == pytest.approx(expected.difference.value)
    assert list(comparison.groups[0].figures) == [
        MAP,
        f"{MAP}_xmir",
        "precision_at_1",
        "precision_at_5",
        "precision_at_10",
    ]


def test_the_order_of_the_queries_in_a_report_does_not_matter(first: EvaluationReport) -> None:
    second = better(first, 0.1)
    turned = replace(second, queries=tuple(reversed(second.queries)))
    assert compare(first, turned, resamples=100).groups == compare(first, second, resamples=100).groups


def test_two_models_on_the_same_data_have_nothing_to_note(tmp_path: Path, first: EvaluationReport) -> None:
    second = report(pixels_set(tmp_path, "set", count=24, seed=5), model=CONTROL.display_name)
    comparison = compare(first, second, resamples=100)
    assert comparison.notes == ()
    assert comparison.second.model.display_name == CONTROL.display_name
    assert compare(first, first, resamples=100).notes == ("Both reports are of the same model and the same data.",)


def test_reports_that_overlap_are_compared_on_what_both_have_and_say_so(
    tmp_path: Path, first: EvaluationReport
) -> None:
    dataset = pixels_set(tmp_path, "set", count=24, seed=5)
    comparison = compare(first, report(replace(dataset, items=dataset.items[:18])), resamples=100)
    assert comparison.groups[0].query_count == 18
    assert comparison.notes == (
        "The queries are not the same data: only the 18 that both have are compared.",
        "6 queries of the first report are not in the other.",
        "They were ranked among different items, which alone changes the figures.",
    )


def test_reports_without_a_common_query_are_refused(tmp_path: Path, first: EvaluationReport) -> None:
    other = report(pixels_set(tmp_path, "other", count=12, seed=8))
    with pytest.raises(InvalidRequestError, match="no query in common"):
        compare(first, other)


@pytest.mark.parametrize("change", [{"labels": ("other",)}, {"image_digest": "0" * 64}])
def test_a_query_with_other_labels_or_another_image_is_another_query(
    first: EvaluationReport, change: dict[str, object]
) -> None:
    changed = replace(first.queries[0], **change)  # type: ignore[arg-type]
    comparison = compare(first, replace(first, queries=(changed, *first.queries[1:])), resamples=100)
    assert comparison.groups[0].query_count == 23


def test_protocols_and_archives_that_differ_are_refused(tmp_path: Path, first: EvaluationReport) -> None:
    queries, one, two = (pixels_set(tmp_path, name, count=24, seed=at) for at, name in enumerate(("set", "a", "b"), 5))
    separate, other = (report(queries, beside=Beside(archive=archive)) for archive in (one, two))
    with pytest.raises(InvalidRequestError, match="the protocol of the first is leave-one-out, of the second separate"):
        compare(first, separate)
    with pytest.raises(InvalidRequestError, match="the archive data of the first"):
        compare(separate, other)
    assert compare(separate, separate, resamples=100).groups[0].query_count == 24


def test_a_report_without_figures_of_its_queries_is_refused(first: EvaluationReport) -> None:
    with pytest.raises(InvalidRequestError, match="evaluate again"):
        compare(replace(first, queries=(), digests=None), first)


def test_the_tables_show_both_runs_their_difference_and_its_p_value(first: EvaluationReport) -> None:
    overall, classes = comparison_tables(compare(first, better(first, 0.1), resamples=2000))
    assert overall.columns == ("Figure", "A: pixels", "B: pixels", "B - A [95 %]", "p")
    assert [row[0] for row in overall.rows] == ["mAP", "mAP, X-MIR-compatible", "mP@1", "mP@5", "mP@10"]
    assert overall.rows[0][3].startswith("+0.")
    assert overall.rows[0][4] == "< 0.001"
    assert classes.rows[0][0] == "x (8), mAP"


def test_the_document_says_which_schema_it_follows(first: EvaluationReport) -> None:
    document = json.loads(comparison_to_json(compare(first, better(first, 0.1), resamples=100)))
    assert document["schema"] == "xmirad.comparison/1"
    assert set(document["groups"][0]["figures"][MAP]) == {"first", "second", "difference", "p_value"}


def test_the_page_is_one_file_in_which_names_stay_text(first: EvaluationReport) -> None:
    renamed = replace(first, model=replace(first.model, display_name=HOSTILE), command=HOSTILE)
    page = render_comparison(compare(renamed, better(first, 0.1), resamples=100))
    HTMLParser().feed(page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "https://" not in page
    assert "Not a diagnosis." in page
    assert first.digests is not None
    assert first.digests.queries in page
