from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from support.fake_evaluation import FakeService, embed, pixel_item
from support.lab_data import pixels_set
from xmirad.datasets import Dataset, DatasetItem
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.lab.findings import LabFindings
from xmirad.evaluation.lab.tables import lab_tables
from xmirad.evaluation.options import EvaluationOptions
from xmirad.evaluation.report_notes import report_notes
from xmirad.evidence.fitting import LabeledNeighbors, fit_vote
from xmirad.types import EncodedImage

QUICK = EvaluationOptions(resamples=50)


def found(dataset: Dataset, beside: Beside | None = None) -> LabFindings:
    lab = evaluate(FakeService(), dataset, beside=beside or Beside(), options=QUICK).lab
    assert lab is not None
    return lab


def ranked(asked: DatasetItem, items: tuple[DatasetItem, ...]) -> list[tuple[float, DatasetItem]]:
    """Return scores and items, best first, without the query."""
    query = embed(EncodedImage(asked.path.read_bytes()))
    others = [item for item in items if item is not asked]
    scored = [(float(query @ embed(EncodedImage(item.path.read_bytes()))), item) for item in others]
    return sorted(scored, key=lambda each: -each[0])


def average_precision(relevant: list[bool]) -> float:
    hits = [rank for rank, is_relevant in enumerate(relevant, start=1) if is_relevant]
    return sum(sum(relevant[:rank]) / rank for rank in hits) / len(hits)


def distance(scored: list[tuple[float, DatasetItem]]) -> float:
    nearest = [1 - score for score, _ in scored[:10]]
    return sum(nearest) / len(nearest)


def temperature_of(queries: tuple[DatasetItem, ...], items: tuple[DatasetItem, ...]) -> float:
    """Return the temperature that is fitted on queries and their ten nearest of some items."""
    nearest = [ranked(asked, items)[:10] for asked in queries]
    labels = [[item.attributes.labels for _, item in each] for each in nearest]
    found = LabeledNeighbors(
        np.array([[score for score, _ in each] for each in nearest]),
        np.array([[[label in of_item for label in "xyz"] for of_item in each] for each in labels]),
        np.array([[label in asked.attributes.labels for label in "xyz"] for asked in queries]),
    )
    return fit_vote(found).temperature


@pytest.mark.parametrize(("name", "same"), [("same source", True), ("other sources", False)])
def test_rankings_restricted_by_source_are_those_of_a_slow_plain_evaluation(
    tmp_path: Path, name: str, same: bool
) -> None:
    dataset = pixels_set(tmp_path, "set", count=24, seed=5, sources=("a", "b", "c"))
    expected = []
    for asked in dataset.items:
        kept = [
            item
            for _, item in ranked(asked, dataset.items)
            if (item.attributes.source == asked.attributes.source) is same
        ]
        expected.append(average_precision([item.attributes.labels == asked.attributes.labels for item in kept]))
    study = found(dataset).sources
    assert study is not None
    (ranking,) = (each for each in study.rankings if each.name == name)
    assert ranking.overall is not None
    assert ranking.overall.figures["mean_average_precision"].value == pytest.approx(np.mean(expected))
    assert ranking.dropped_queries == 0
    assert ranking.chance is not None
    assert 0.2 < ranking.chance < 0.7
    assert np.mean(list(ranking.class_chances.values())) == pytest.approx(ranking.chance)


def test_queries_without_a_relevant_item_in_their_source_are_dropped_and_counted(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=12, seed=5, sources=("a",))
    moved = replace(dataset.items[0], attributes=replace(dataset.items[0].attributes, source="b"))
    study = found(replace(dataset, items=(moved, *dataset.items[1:]))).sources
    assert study is not None
    same, other = study.rankings
    assert same.dropped_queries == 1
    assert other.dropped_queries == 8  # y and z have no item in b
    assert study.recognitions == ()  # of a and b, only images of a have another of their source to find


def test_the_source_is_told_without_the_querys_patient_overall_and_within_each_class(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=36, seed=5, patients="p", sources=("a", "b", "c"))
    study = found(dataset).sources
    assert study is not None
    assert [each.name for each in study.recognitions] == ["overall", "x", "y", "z"]
    for each in study.recognitions:
        right = []
        for asked in dataset.items:
            if each.name not in ("overall", *asked.attributes.labels):
                continue
            others = [item for _, item in ranked(asked, dataset.items) if item.patient != asked.patient]
            if each.name != "overall":
                others = [item for item in others if item.attributes.labels == asked.attributes.labels]
            votes = [item.attributes.source for item in others[:5]]
            best = max(votes, key=lambda source: (votes.count(source), -votes.index(source)))
            right.append((asked.attributes.source, best == asked.attributes.source))
        by_source = [np.mean([hit for source, hit in right if source == name]) for name in "abc"]
        assert each.accuracy.value == pytest.approx(np.mean([hit for _, hit in right]))
        assert each.balanced_accuracy.value == pytest.approx(np.mean(by_source))
        assert each.majority == pytest.approx(1 / 3)
        assert each.balanced_chance == pytest.approx(1 / 3)


def test_a_source_that_decides_the_pixels_is_told_within_a_class(tmp_path: Path) -> None:
    items = []
    for number in range(24):
        bright = 200 if number % 2 else 20
        pixels = [20, 20, bright, 220 - bright]
        pixels[number // 2 % 2] += 60
        label, source = "xy"[number // 2 % 2], ("here", "there")[number % 2]
        items.append(pixel_item(tmp_path / f"{number}.png", pixels, labels=(label,), source=source))
    study = found(Dataset("marked", tuple(items))).sources
    assert study is not None
    assert {each.accuracy.value for each in study.recognitions} == {1.0}


def test_confusion_counts_the_first_result_of_every_query(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=24, seed=5)
    expected = {(row, column): 0 for row in "xyz" for column in "xyz"}
    for asked in dataset.items:
        first = ranked(asked, dataset.items)[0][1]
        expected[asked.attributes.labels[0], first.attributes.labels[0]] += 1
    confusion = found(dataset).confusion
    counted = {
        (row, column): confusion.counts[at][to]
        for at, row in enumerate(confusion.labels)
        for to, column in enumerate(confusion.found)
    }
    assert counted == expected


def test_curves_are_the_mean_over_queries_overall_and_by_class(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=24, seed=5)
    curves = found(dataset).curves
    assert [(curve.name, curve.query_count) for curve in curves] == [("overall", 24), ("x", 8), ("y", 8), ("z", 8)]
    np.testing.assert_allclose(curves[0].precision, np.mean([curve.precision for curve in curves[1:]], axis=0))


def test_a_left_out_class_is_told_by_distances_to_the_rest(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=36, seed=5, patients="p")
    detections = found(dataset).detections
    assert [(each.kind, each.name) for each in detections] == [("left-out class", label) for label in "xyz"]
    for each in detections:
        truth, distances = [], []
        for asked in dataset.items:
            kept = [
                pair
                for pair in ranked(asked, dataset.items)
                if each.name not in pair[1].attributes.labels and pair[1].patient != asked.patient
            ]
            truth.append(each.name in asked.attributes.labels)
            distances.append(distance(kept))
        assert each.figures.auroc.value == pytest.approx(roc_auc_score(truth, distances), abs=0.01)
        assert (each.inside_count, each.outside_count) == (24, 12)


def test_another_data_set_is_told_by_its_distance_to_the_archive(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=24, seed=5)
    others = tuple(pixel_item(tmp_path / f"o{n}.png", [250, 0, 250 - n, 0], labels=("o",)) for n in range(7))
    copy = replace(dataset.items[0], external_id="copy")
    detection = found(dataset, Beside(other_data=Dataset("other", (*others, copy)))).detections[0]
    truth = [False] * 24 + [True] * 7
    distances = [distance(ranked(asked, dataset.items)) for asked in (*dataset.items, *others)]
    assert (detection.kind, detection.name) == ("other data", "other")
    assert (detection.inside_count, detection.outside_count, detection.identical_count) == (24, 7, 1)
    assert detection.figures.auroc.value == pytest.approx(roc_auc_score(truth, distances), abs=0.01)
    assert detection.outside_distance == pytest.approx(np.mean(distances[24:]), abs=1e-5)


def test_the_temperature_is_fitted_in_folds_without_validation_data(tmp_path: Path) -> None:
    calibration = found(pixels_set(tmp_path, "set", count=36, seed=5)).calibration
    assert calibration is not None
    assert calibration.fitted_on == "5 folds of the queries"
    assert len(calibration.temperatures) == len(calibration.pseudo_counts) == 5
    assert min(calibration.pseudo_counts) > 0
    assert calibration.query_count == sum(each.count for each in calibration.after.bins) == 36
    assert all(each.confidence < 1 for each in calibration.after.bins)


def test_the_temperature_comes_from_validation_data_where_there_is_any(tmp_path: Path) -> None:
    dataset, validation = (
        pixels_set(tmp_path, "set", count=36, seed=5),
        pixels_set(tmp_path, "val", count=30, seed=6),
    )
    alone = found(dataset, Beside(validation=validation)).calibration
    assert alone is not None
    assert alone.fitted_on == "30 queries of val"
    archive = pixels_set(tmp_path, "t", count=33, seed=7)
    separate = found(dataset, Beside(validation=validation, archive=archive)).calibration
    assert separate is not None
    for calibration, items in ((alone, validation.items), (separate, archive.items)):
        assert calibration.temperatures == pytest.approx((temperature_of(validation.items, items),), rel=1e-3)


def test_validation_images_that_are_items_are_left_out_and_counted(tmp_path: Path) -> None:
    dataset, validation, archive = (
        pixels_set(tmp_path, name, count=30, seed=at) for at, name in enumerate(("set", "val", "t"))
    )
    validation.items[4].path.write_bytes(archive.items[2].path.read_bytes())
    calibration = found(dataset, Beside(validation=validation, archive=archive)).calibration
    assert calibration is not None
    assert calibration.fitted_on == "29 queries of val (1 left out: byte for byte an item of the archive)"


def test_labels_of_the_evaluated_queries_do_not_change_a_temperature_of_validation_data(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=36, seed=5)
    beside = Beside(
        validation=pixels_set(tmp_path, "val", count=30, seed=6), archive=pixels_set(tmp_path, "t", count=33, seed=7)
    )
    turned = tuple(
        replace(item, attributes=replace(item.attributes, labels=("xyz"["yzx".index(item.attributes.labels[0])],)))
        for item in dataset.items
    )
    right, wrong = found(dataset, beside).calibration, found(replace(dataset, items=turned), beside).calibration
    assert right is not None
    assert wrong is not None
    assert right.temperatures == wrong.temperatures
    assert right.accuracy.value > wrong.accuracy.value


def test_validation_data_with_an_image_that_is_searched_with_is_refused(tmp_path: Path) -> None:
    dataset, validation = (pixels_set(tmp_path, name, count=12, seed=seed) for name, seed in (("set", 5), ("val", 6)))
    validation.items[4].path.write_bytes(dataset.items[7].path.read_bytes())
    with pytest.raises(InvalidRequestError, match="1 images of val are searched with too") as caught:
        found(dataset, Beside(validation=validation))
    assert caught.value.field == "calibration_split"


def test_validation_data_with_a_patient_of_the_queries_is_refused(tmp_path: Path) -> None:
    dataset, validation = (
        pixels_set(tmp_path, "set", count=12, seed=5, patients="p"),
        pixels_set(tmp_path, "val", count=12, seed=6, patients="p"),
    )
    with pytest.raises(InvalidRequestError, match="both in set and in val"):
        found(dataset, Beside(validation=validation))


def test_the_interval_of_the_calibration_error_holds_the_figure(tmp_path: Path) -> None:
    calibration = found(pixels_set(tmp_path, "set", count=36, seed=5)).calibration
    assert calibration is not None
    for reliability in (calibration.before, calibration.after):
        error = reliability.calibration_error
        assert 0 <= error.low < error.value < error.high <= 1


def test_queries_of_one_source_tell_nothing_of_sources(tmp_path: Path) -> None:
    queries = pixels_set(tmp_path, "set", count=12, seed=5, sources=("a",))
    archive = pixels_set(tmp_path, "t", count=24, seed=6, sources=("a", "b"))
    study = found(queries, Beside(archive=archive)).sources
    assert study is not None
    assert study.recognitions == ()
    assert [ranking.dropped_queries for ranking in study.rankings] == [0, 0]


def test_there_are_as_many_folds_as_patients_at_most(tmp_path: Path) -> None:
    calibration = found(pixels_set(tmp_path, "set", count=12, seed=5, patients="p")).calibration
    assert calibration is not None
    assert calibration.fitted_on == "2 folds of the queries"
    assert len(calibration.temperatures) == 2


def test_queries_of_a_single_patient_are_not_divided(tmp_path: Path) -> None:
    queries = pixels_set(tmp_path, "set", count=6, seed=5, patients="p")
    archive = pixels_set(tmp_path, "t", count=24, seed=6)
    assert found(queries, Beside(archive=archive)).calibration is None
    validation = pixels_set(tmp_path, "val", count=12, seed=7)
    assert found(queries, Beside(archive=archive, validation=validation)).calibration is not None


def test_what_needs_whole_rankings_is_left_out_of_a_large_archive_and_the_report_says_so(tmp_path: Path) -> None:
    dataset = pixels_set(tmp_path, "set", count=36, seed=5, patients="p", sources=("a", "b", "c"))
    report = evaluate(FakeService(), dataset, options=replace(QUICK, max_whole_ranking=20, cutoff=12))
    assert report.lab is not None
    assert report.lab.sources is not None
    assert report.lab.sources.rankings == ()
    assert report.lab.sources.recognitions
    assert report.lab.detections == ()
    assert "Rankings restricted by source" not in {table.title for table in lab_tables(report.lab)}
    assert any("left-out classes need whole rankings" in note for note in report_notes(report))
