import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from support.fake_evaluation import MODEL, FakeService, embed, pixel_item
from support.lab_data import pixels_set
from xmirad.client.types import ModelInfo
from xmirad.datasets import Dataset
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, SaliencyOptions
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_notes import report_notes
from xmirad.evaluation.report_parts import Protocol, TrainingOverlap
from xmirad.evaluation.report_table import report_tables
from xmirad.ids import image_digest
from xmirad.types import EncodedImage

QUICK = EvaluationOptions(resamples=50, upload_window=3, search_window=4)


def slow_figures(queries: Dataset, archive: Dataset) -> dict[str, float]:
    """Rank, count and average as slowly and plainly as possible; the query is no item."""
    rows = []
    for asked in queries.items:
        query = embed(EncodedImage(asked.path.read_bytes()))
        scored = [(-float(query @ embed(EncodedImage(item.path.read_bytes()))), item) for item in archive.items]
        scored.sort(key=lambda each: each[0])
        relevant = [item.attributes.labels == asked.attributes.labels for _, item in scored]
        precision, area, found = 0.0, 0.0, 0
        for rank, is_relevant in enumerate(relevant):
            if is_relevant:
                before = 1.0 if rank == 0 else found / rank
                found += 1
                precision += found / (rank + 1)
                area += (before + found / (rank + 1)) / 2
        rows.append((precision / found, area / found, sum(relevant[:5]) / 5))
    names = ("mean_average_precision", "mean_average_precision_xmir", "precision_at_5")
    return {name: sum(row[at] for row in rows) / len(rows) for at, name in enumerate(names)}


def against(queries: Dataset, archive: Dataset, service: FakeService | None = None) -> EvaluationReport:
    return evaluate(service or FakeService(), queries, beside=Beside(archive=archive), options=QUICK)


def test_queries_are_ranked_against_the_whole_archive_and_nothing_else(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    service = FakeService()
    report = against(queries, archive, service)
    assert {name: report.overall.figures[name].value for name in slow_figures(queries, archive)} == pytest.approx(
        slow_figures(queries, archive)
    )
    assert (report.counts.items, report.counts.queries) == (21, 12)
    assert {search.top_k for search in service.searches} == {21}
    assert {search.filter.excluded_items for search in service.searches} == {()}
    assert list(service.archives) == [f"eval-train-{MODEL.digest[:8]}"]


def test_the_report_names_the_protocol_and_what_was_searched(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    report = against(queries, archive)
    assert report.protocol is Protocol.SEPARATE_ARCHIVE
    assert report.archive_dataset is not None
    assert (report.dataset.name, report.archive_dataset.name) == ("test", "train")
    assert report_tables(report)[0].title == "test: 12 queries, against 21 items of train"
    assert "without the query" in report_tables(report)[0].notes[0]
    assert report.digests is not None
    assert report.digests.queries != report.digests.archive_data != report.digests.archive
    assert report.examples[0].results[0].file.startswith("train")


def test_a_query_that_is_byte_for_byte_an_item_is_left_out_and_named(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    queries.items[0].path.write_bytes(archive.items[3].path.read_bytes())
    report = against(queries, archive)
    assert (report.counts.queries, report.counts.identical_queries) == (11, 1)
    assert "1 query was left out: an item of the archive is byte for byte the same: test00.png." in report_notes(report)


def test_queries_that_the_model_was_trained_on_or_chosen_by_are_warned_of_and_items_are_told_apart(
    tmp_path: Path,
) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    digest = [image_digest(item.path.read_bytes()) for item in (*queries.items, *archive.items)]

    class Trained(FakeService):
        def list_models(self) -> list[ModelInfo]:
            trained, chosen_by = frozenset((digest[2], *digest[12:])), frozenset({digest[5], "ab" * 32})
            return [replace(MODEL, training_image_digests=trained, validation_image_digests=chosen_by)]

    report = against(queries, archive, Trained())
    assert report.training_overlap == TrainingOverlap(("test02.png",), ("test05.png",), 21)
    notes = report_notes(report)
    assert notes[0].startswith("WARNING: the model was trained on 1 of the queries")
    assert notes[1].startswith("WARNING: the model's best epoch was chosen by 1 of the queries")
    assert "test02.png" in notes[0]
    assert "test05.png" in notes[1]
    assert "trained on 21 items of the archive" in notes[2]
    assert against(queries, archive).training_overlap is None


def test_a_patient_in_queries_and_archive_is_refused(tmp_path: Path) -> None:
    queries = pixels_set(tmp_path, "test", count=12, seed=1, patients="p")
    archive = pixels_set(tmp_path, "train", count=21, seed=2, patients="p")
    service = FakeService()
    with pytest.raises(InvalidRequestError, match="2 patients have images both in test and in train"):
        against(queries, archive, service)
    assert service.archives == {}


def test_patients_that_are_apart_have_figures_without_their_own(tmp_path: Path) -> None:
    queries = pixels_set(tmp_path, "test", count=12, seed=1, patients="p")
    archive = pixels_set(tmp_path, "train", count=21, seed=2, patients="q")
    report = against(queries, archive)
    assert report.patient_exclusive is not None
    assert report.patient_exclusive.overall is not None
    assert report.patient_exclusive.affected_queries == 0
    name = "mean_average_precision"
    assert report.patient_exclusive.overall.figures[name] == report.overall.figures[name]


def test_queries_of_a_class_that_the_archive_lacks_are_dropped_and_the_class_is_named(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    archive = replace(archive, items=tuple(item for item in archive.items if item.attributes.labels != ("z",)))
    report = against(queries, archive)
    assert (report.counts.queries, report.counts.dropped_queries) == (8, 4)
    assert "The archive has no image of the class z: its queries have no figures." in report_notes(report)


@pytest.mark.parametrize("part", ["queries", "archive"])
def test_one_class_alone_is_refused(tmp_path: Path, part: str) -> None:
    both = {"queries": pixels_set(tmp_path, "test", count=12, seed=1)}
    both["archive"] = pixels_set(tmp_path, "train", count=21, seed=2)
    both[part] = replace(both[part], items=tuple(item for item in both[part].items if item.attributes.labels == ("x",)))
    with pytest.raises(InvalidRequestError, match="has only the class x"):
        against(both["queries"], both["archive"])


def test_images_without_any_class_are_refused(tmp_path: Path) -> None:
    items = tuple(pixel_item(tmp_path / f"{n}.png", [n, 1, 2, 9]) for n in range(3))
    with pytest.raises(InvalidRequestError, match="has no class"):
        evaluate(FakeService(), Dataset("nameless", items), options=QUICK)


def test_unreadable_queries_are_listed_and_the_rest_is_evaluated(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    queries.items[0].path.unlink()
    report = against(queries, archive)
    assert (report.counts.queries, report.counts.failed) == (11, 1)
    assert [(failure.file, failure.reason) for failure in report.failures] == [("test00.png", "FILE_UNREADABLE")]


def test_maps_are_not_evaluated_against_a_separate_archive(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    options = replace(QUICK, saliency=SaliencyOptions())
    with pytest.raises(InvalidRequestError, match="leave the separate archive out"):
        evaluate(FakeService(), queries, beside=Beside(archive=archive), options=options)


def test_without_keep_no_archive_is_left(tmp_path: Path) -> None:
    queries, archive, validation = (pixels_set(tmp_path, name, count=12, seed=at) for at, name in enumerate("abc"))
    service, options = FakeService(), replace(QUICK, keep=False)
    evaluate(service, queries, beside=Beside(archive=archive, validation=validation), options=options)
    assert service.archives == {}
    evaluate(service, queries, beside=Beside(validation=validation), options=options)
    assert service.archives == {}


def test_every_query_is_kept_with_its_key_its_digest_and_its_figures(tmp_path: Path) -> None:
    queries, archive = (
        pixels_set(tmp_path, "test", count=12, seed=1),
        pixels_set(tmp_path, "train", count=21, seed=2),
    )
    report = against(queries, archive)
    assert [record.key for record in report.queries] == [item.external_id for item in queries.items]
    first = report.queries[0]
    assert first.image_digest == hashlib.sha256(queries.items[0].path.read_bytes()).hexdigest()
    for name, estimate in report.overall.figures.items():
        mean = sum(record.figures[name] for record in report.queries) / len(report.queries)
        assert mean == pytest.approx(estimate.value)
