from dataclasses import replace
from pathlib import Path

from support.sample_report import SALIENCY, sample
from xmirad.evaluation.report_notes import report_notes
from xmirad.evaluation.report_table import report_tables
from xmirad.evaluation.saliency_report import SaliencyReport
from xmirad.evaluation.saliency_table import saliency_tables


def found(folder: Path) -> SaliencyReport:
    report, _ = sample(folder, saliency=SALIENCY)
    assert report.saliency is not None
    return report.saliency


def test_every_method_has_a_table_at_the_end_of_the_report(tmp_path: Path) -> None:
    report, _ = sample(tmp_path, saliency=SALIENCY)
    titles = [table.title for table in report_tables(report)][-3:]
    assert titles == [
        "Maps on the first result: occlusion, window 24, stride 5, fill zero, codec int8",
        "Maps on the first result: attention, form siamese_positive",
        "Maps on the first result: activation",
    ]


def test_classes_and_overall_of_the_control_follow_those_of_the_model(tmp_path: Path) -> None:
    table = saliency_tables(found(tmp_path))[0]
    names = ["x", "y", "z", "overall"]
    assert [row[0] for row in table.rows] == [*names, *(f"{name}, random weights" for name in names)]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.rows[3][1:] == (
        "6", "0.250 [0.250, 0.250]", "0.062", "1.000", "0.750", "0.500", "0.700", "0.550",
    )  # fmt: skip
    assert table.rows[7][2:5] == ("0.000 [0.000, 0.000]", "0.062", "0.000")


def test_a_method_without_a_map_has_no_rows_and_says_why(tmp_path: Path) -> None:
    table = saliency_tables(found(tmp_path))[1]
    assert table.rows == ()
    assert table.notes == (
        "6 of 6 maps with pixels could not be had.",
        "6 of 6 maps with untrained could not be had.",
    )


def test_the_last_table_says_how_to_read_them(tmp_path: Path) -> None:
    report = found(tmp_path)
    notes = " ".join(saliency_tables(report)[-1].notes)
    assert "At most 2 queries a class" in notes
    assert "Random weights: untrained" in notes
    alone = " ".join(saliency_tables(replace(report, control=None, queries_per_class=None))[-1].notes)
    assert "All queries" in alone
    assert "Random weights" not in alone


def test_the_notes_of_the_report_count_the_maps_that_failed(tmp_path: Path) -> None:
    report, _ = sample(tmp_path, saliency=SALIENCY)
    assert "Of the maps, 12 could not be had and are listed in the report." in report_notes(report)
