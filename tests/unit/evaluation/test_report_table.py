from dataclasses import replace
from pathlib import Path

from support.sample_report import sample
from xmirad.evaluation.options import Stage
from xmirad.evaluation.report_notes import report_notes
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.report_table import report_tables


def test_every_row_has_as_many_cells_as_there_are_columns(tmp_path: Path) -> None:
    tables = report_tables(sample(tmp_path)[0])
    assert [table.title for table in tables] == [
        "sample: 12 queries, leave-one-out",
        "By class",
        "Without the query's own patient",
        "By source of the query",
        "First result by class of the query",
        "Rankings restricted by source",
        "Can the source be told from the embedding?",
        "Confidence of the label of the 10 nearest items: 12 queries",
        "Telling what the archive does not know",
    ]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_first_table_shows_both_definitions_side_by_side(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    table = report_tables(report)[0]
    assert [row[0] for row in table.rows] == ["mAP", "mP@1", "mP@5", "mP@10", "R@1", "R@5", "R@10"]
    corrected = report.overall.figures["mean_average_precision"]
    published = report.overall.figures["mean_average_precision_xmir"]
    assert table.rows[0][1] == f"{corrected.value:.3f} [{corrected.low:.3f}, {corrected.high:.3f}]"
    assert table.rows[0][2].startswith(f"{published.value:.3f} [")
    assert table.rows[4][2] == ""


def test_classes_end_with_their_mean_and_the_whole(tmp_path: Path) -> None:
    rows = report_tables(sample(tmp_path)[0])[1].rows
    assert [row[:2] for row in rows] == [("x", "4"), ("y", "4"), ("z", "4"), ("macro", "12"), ("overall", "12")]


def test_tables_of_what_is_not_known_are_left_out(tmp_path: Path) -> None:
    report = replace(sample(tmp_path)[0], patient_exclusive=None, sources=(), lab=None)
    assert len(report_tables(report)) == 2


def test_notes_name_failures_and_warnings_and_end_with_the_intended_use(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    notes = report_notes(report)
    assert notes == [
        "1 image failed and is listed in the report.",
        "list.txt, line 3: repeats line 1 and was left out",
        "Research and decision support only.",
    ]


def test_notes_say_what_would_mislead_a_reader(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    counts = replace(report.counts, failed=0, dropped_queries=2, merged=3)
    dataset = replace(report.dataset, synthetic=True, duplicates=("2 identical files: a, b",), warnings=())
    notes = "\n".join(report_notes(replace(report, counts=counts, dataset=dataset, cutoff=10_000)))
    assert "generated" in notes
    assert "first 10,000 results" in notes
    assert "2 queries share no label" in notes
    assert "3 files are byte for byte" in notes
    assert "2 identical files: a, b" in notes
    assert "failed" not in notes


def test_feedback_has_a_row_for_each_round_and_its_failures_a_note(tmp_path: Path) -> None:
    report = sample(tmp_path, feedback_rounds=2)[0]
    table = report_tables(report)[-1]
    assert table.title == "Relevance feedback by a simulated reader: 12 queries"
    assert [row[0] for row in table.rows] == ["1", "2"]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert report.feedback is not None
    failure = Failure("a.png", Stage.FEEDBACK, "OVERLOADED", "try later")
    failed = replace(report, feedback=replace(report.feedback, failures=(failure,)))
    assert "Of the searches with feedback, 1 failed and are listed in the report." in report_notes(failed)
    assert failure in failed.all_failures
