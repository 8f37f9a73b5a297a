from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.fake_evaluation import MODEL, FakeService, embed, pixel_item, write_pixels
from xmirad.datasets import Dataset, DatasetItem
from xmirad.datasets.dataset import Unreadable
from xmirad.errors import InvalidRequestError, ModelNotFoundError
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, Stage
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.uploading import evaluation_archive
from xmirad.types import EncodedImage, ItemAttributes

QUICK = EvaluationOptions(resamples=50, upload_window=3, search_window=4)


def tiny(folder: Path, *, count: int = 8, patients: bool = False, sources: bool = False) -> Dataset:
    generator = np.random.default_rng(4)
    items = []
    for number in range(3 * count):
        label = ("x", "y", "z")[number % 3]
        pixels = generator.integers(1, 200, size=4)
        pixels[number % 3] = min(255, pixels[number % 3] + 60)
        items.append(
            pixel_item(
                folder / f"i{number:02d}.png",
                [int(value) for value in pixels],
                labels=(label,),
                patient=f"p{number // 6}" if patients else "",
                source=("here", "there")[number % 2] if sources else "",
            )
        )
    return Dataset("tiny", tuple(items))


def slow_figures(items: tuple[DatasetItem, ...], *, exclude_patient: bool = False) -> dict[str, float]:
    """Rank, count and average as slowly and plainly as possible."""
    rows = []
    vectors = [embed(EncodedImage(item.path.read_bytes())) for item in items]
    for query, asked in enumerate(items):
        others = [each for each in range(len(items)) if each != query]
        if exclude_patient:
            others = [each for each in others if items[each].patient != asked.patient]
        others.sort(key=lambda each: -float(vectors[query] @ vectors[each]))
        relevant = [items[each].attributes.labels == asked.attributes.labels for each in others]
        if not any(relevant):
            continue
        hits = [rank for rank, is_relevant in enumerate(relevant, start=1) if is_relevant]
        precision = [sum(relevant[:rank]) / rank for rank in hits]
        published, area = [*relevant, True], 0.0
        positives = [rank for rank, is_relevant in enumerate(published) if is_relevant]
        for found, rank in enumerate(positives):
            area += ((1.0 if rank == 0 else found / rank) + (found + 1) / (rank + 1)) / 2
        row = {
            "mean_average_precision": sum(precision) / len(hits),
            "mean_average_precision_xmir": area / len(positives),
        }
        for k in (1, 5, 10):
            row[f"precision_at_{k}"] = row[f"precision_at_{k}_xmir"] = sum(relevant[:k]) / k
            row[f"recall_at_{k}"] = float(any(relevant[:k]))
        rows.append(row)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def values(report: EvaluationReport) -> dict[str, float]:
    return {name: estimate.value for name, estimate in report.overall.figures.items()}


def test_the_figures_are_those_of_a_slow_plain_evaluation(tmp_path: Path) -> None:
    dataset = tiny(tmp_path)
    report = evaluate(FakeService(), dataset, options=QUICK)
    assert values(report) == pytest.approx(slow_figures(dataset.items))
    assert (report.counts.items, report.counts.queries, report.counts.failed) == (24, 24, 0)
    for estimate in report.overall.figures.values():
        assert estimate.low <= estimate.value <= estimate.high


def test_classes_and_their_mean_come_from_the_same_queries(tmp_path: Path) -> None:
    report = evaluate(FakeService(), tiny(tmp_path), options=QUICK)
    assert [(group.name, group.query_count) for group in report.classes] == [("x", 8), ("y", 8), ("z", 8)]
    name = "mean_average_precision"
    by_class = [group.figures[name].value for group in report.classes]
    assert report.macro.figures[name].value == pytest.approx(np.mean(by_class))
    assert report.overall.figures[name].value == pytest.approx(np.mean(by_class))


def test_the_same_patient_is_taken_out_of_the_ranking(tmp_path: Path) -> None:
    dataset = tiny(tmp_path, patients=True)
    patients = evaluate(FakeService(), dataset, options=QUICK).patient_exclusive
    assert patients is not None
    assert patients.overall is not None
    found = {name: estimate.value for name, estimate in patients.overall.figures.items()}
    slow = slow_figures(dataset.items, exclude_patient=True)
    assert found == pytest.approx({name: slow[name] for name in found})
    assert (patients.affected_queries, patients.dropped_queries, patients.unknown_patient_queries) == (24, 0, 0)


def test_queries_left_without_a_relevant_item_are_dropped_and_counted(tmp_path: Path) -> None:
    items = (
        pixel_item(tmp_path / "a.png", [9, 1, 1, 1], labels=("x",), patient="p"),
        pixel_item(tmp_path / "b.png", [8, 2, 1, 1], labels=("x",), patient="p"),
        pixel_item(tmp_path / "c.png", [1, 9, 1, 1], labels=("y",), patient="q"),
        pixel_item(tmp_path / "d.png", [1, 8, 2, 1], labels=("y",), patient="r"),
        pixel_item(tmp_path / "e.png", [1, 1, 2, 9], labels=("lonely",)),
    )
    report = evaluate(FakeService(), Dataset("few", items), options=QUICK)
    assert (report.counts.queries, report.counts.dropped_queries) == (4, 1)
    assert report.patient_exclusive is not None
    assert report.patient_exclusive.overall is not None
    assert report.patient_exclusive.overall.query_count == 2
    assert report.patient_exclusive.dropped_queries == 2
    assert report.patient_exclusive.unknown_patient_queries == 1
    assert report.patient_exclusive.affected_queries == 2


def test_without_patients_and_sources_nothing_is_said_of_them(tmp_path: Path) -> None:
    report = evaluate(FakeService(), tiny(tmp_path), options=QUICK)
    assert report.patient_exclusive is None
    assert report.sources == ()


def test_one_source_alone_is_no_comparison(tmp_path: Path) -> None:
    items = tuple(
        pixel_item(tmp_path / f"{n}.png", [n + 1, 9, 1, 1], labels=("xy"[n % 2],), source="a") for n in range(4)
    )
    assert evaluate(FakeService(), Dataset("one-source", items), options=QUICK).sources == ()


def test_sources_show_whether_retrieval_follows_them(tmp_path: Path) -> None:
    items = tuple(
        pixel_item(
            tmp_path / f"{n}.png",
            [200, n, 1, 1] if n % 2 else [1, n, 200, 1],
            labels=("xy"[n // 2 % 2],),
            source="ab"[n % 2],
        )
        for n in range(12)
    )
    report = evaluate(FakeService(), Dataset("two-sources", items), options=QUICK)
    assert [(source.name, source.item_count) for source in report.sources] == [("a", 6), ("b", 6)]
    assert [source.same_source_share for source in report.sources] == [0.5, 0.5]
    assert report.sources[0].chance_share == pytest.approx(5 / 11)


def test_a_query_of_several_labels_is_in_each_class_and_one_shared_label_is_relevant(tmp_path: Path) -> None:
    items = (
        pixel_item(tmp_path / "a.png", [9, 9, 1, 1], labels=("x", "y")),
        pixel_item(tmp_path / "b.png", [9, 1, 1, 1], labels=("x",)),
        pixel_item(tmp_path / "c.png", [1, 9, 1, 1], labels=("y",)),
    )
    report = evaluate(FakeService(), Dataset("many", items), options=QUICK)
    assert [(group.name, group.query_count) for group in report.classes] == [("x", 2), ("y", 2)]
    assert report.counts.queries == 3


def test_images_that_fail_are_counted_and_listed_and_the_rest_is_evaluated(tmp_path: Path) -> None:
    dataset = tiny(tmp_path)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    items = (
        *dataset.items,
        DatasetItem(broken, "broken", ItemAttributes()),
        DatasetItem(tmp_path / "gone", "", ItemAttributes()),
    )
    service = FakeService(overloaded_queries={"3"})
    report = evaluate(service, Dataset("tiny", items), options=QUICK)
    assert report.failures == (
        Failure("broken.png", Stage.UPLOAD, "IMAGE_UNDECODABLE", "the bytes are no image"),
        Failure("gone", Stage.UPLOAD, "FILE_UNREADABLE", "cannot be read: No such file or directory"),
        Failure("i03.png", Stage.SEARCH, "OVERLOADED", "try later"),
    )
    assert (report.counts.items, report.counts.queries, report.counts.failed) == (24, 23, 3)


def test_a_ranking_that_is_not_whole_is_a_failure(tmp_path: Path) -> None:
    dataset = tiny(tmp_path)
    service = FakeService()
    evaluate(service, dataset, options=QUICK)
    (items,) = service.archives.values()
    service.hidden = {next(iter(items))}
    report = evaluate(service, dataset, options=QUICK)
    assert {failure.reason for failure in report.failures} == {"ARCHIVE_NOT_READY"}
    assert (report.counts.failed, report.counts.queries) == (23, 1)


def test_searches_are_exact_whole_and_leave_out_the_querys_own_item(tmp_path: Path) -> None:
    service = FakeService()
    evaluate(service, tiny(tmp_path), options=QUICK)
    assert {search.top_k for search in service.searches} == {23}
    assert len({search.filter.excluded_items for search in service.searches}) == 24


def test_an_archive_that_is_there_is_used_again(tmp_path: Path) -> None:
    service, dataset = FakeService(), tiny(tmp_path)
    first = evaluate(service, dataset, options=QUICK)
    assert first.archive == f"archives/eval-tiny-{MODEL.digest[:8]}"
    service.uploads = 0
    assert values(evaluate(service, dataset, options=QUICK)) == values(first)
    assert service.uploads == 24
    assert list(service.archives) == [evaluation_archive("tiny", MODEL)]


def test_an_archive_with_other_items_is_filled_anew(tmp_path: Path) -> None:
    service, dataset = FakeService(), tiny(tmp_path)
    evaluate(service, dataset, options=QUICK)
    fewer = Dataset("tiny", dataset.items[:12])
    assert values(evaluate(service, fewer, options=QUICK)) == pytest.approx(slow_figures(fewer.items))
    write_pixels(fewer.items[0].path, [1, 1, 1, 255])
    changed = evaluate(service, fewer, options=QUICK)
    assert changed.counts.items == 12
    assert values(changed) == pytest.approx(slow_figures(fewer.items))


def test_fresh_begins_with_an_empty_archive_and_keep_false_leaves_none(tmp_path: Path) -> None:
    service, dataset = FakeService(), tiny(tmp_path)
    evaluate(service, dataset, options=EvaluationOptions(fresh=True, keep=False, resamples=10))
    assert service.archives == {}
    with pytest.raises(InvalidRequestError):
        evaluate(service, Dataset("one", dataset.items[:1]), options=EvaluationOptions(keep=False))
    assert service.archives == {}


def test_byte_identical_files_without_ids_are_one_item_and_are_named(tmp_path: Path) -> None:
    dataset = tiny(tmp_path, count=2)
    copy = tmp_path / "copy.png"
    copy.write_bytes(dataset.items[0].path.read_bytes())
    nameless = tuple(DatasetItem(path, "", ItemAttributes(labels=("x",))) for path in (dataset.items[0].path, copy))
    report = evaluate(FakeService(), Dataset("tiny", (*nameless, *dataset.items[1:])), options=QUICK)
    assert (report.counts.items, report.counts.merged) == (6, 1)
    assert report.dataset.duplicates == ("2 identical files: i00.png, copy.png",)


def test_a_large_archive_is_ranked_up_to_a_cutoff_and_every_name_says_so(tmp_path: Path) -> None:
    dataset = tiny(tmp_path)
    options = EvaluationOptions(resamples=50, max_whole_ranking=20, cutoff=10)
    service = FakeService()
    report = evaluate(service, dataset, options=options)
    assert report.cutoff == 10
    assert {search.top_k for search in service.searches} == {10}
    assert "mean_average_precision_at_10" in report.overall.figures
    assert "mean_average_precision" not in report.overall.figures
    whole = evaluate(FakeService(), dataset, options=QUICK)
    name = "mean_average_precision"
    assert report.overall.figures[f"{name}_at_10"].value < whole.overall.figures[name].value
    assert report.overall.figures[f"{name}_xmir_at_10"].value < whole.overall.figures[f"{name}_xmir"].value


def test_progress_is_told_image_by_image(tmp_path: Path) -> None:
    seen: list[tuple[Stage, int, int, int]] = []
    dataset = tiny(tmp_path, count=2)
    evaluate(FakeService(), dataset, options=QUICK, progress=lambda *told: seen.append(told))
    uploaded = [(Stage.UPLOAD, done, 6, 0) for done in (*range(1, 7), 6)]
    assert seen == [*uploaded, *((Stage.SEARCH, done, 6, 0) for done in range(1, 7))]


def test_progress_is_told_of_images_that_failed(tmp_path: Path) -> None:
    seen: list[tuple[Stage, int, int, int]] = []
    dataset = tiny(tmp_path, count=2)
    dataset.items[5].path.unlink()
    dataset = replace(dataset, unreadable=(Unreadable(tmp_path / "gone.png", "is a link to nothing"),))
    evaluate(FakeService(), dataset, options=QUICK, progress=lambda *told: seen.append(told))
    assert [each for each in seen if each[0] is Stage.UPLOAD][-1] == (Stage.UPLOAD, 6, 6, 2)


def test_examples_are_the_best_and_the_worst_of_each_class(tmp_path: Path) -> None:
    report = evaluate(FakeService(), tiny(tmp_path), options=QUICK)
    assert [example.kind for example in report.examples] == ["best"] * 6 + ["worst"] * 6
    best, worst = report.examples[0], report.examples[6]
    assert best.labels == worst.labels == ("x",)
    assert best.average_precision > worst.average_precision
    assert len(worst.results) == 5
    scores = [result.score for result in worst.results]
    assert scores == sorted(scores, reverse=True)
    assert all(result.relevant == (result.labels == worst.labels) for result in worst.results)


def test_a_data_set_without_a_relevant_pair_is_refused(tmp_path: Path) -> None:
    items = tuple(pixel_item(tmp_path / f"{n}.png", [n + 1, 5, 1, 1], labels=(str(n),)) for n in range(3))
    with pytest.raises(InvalidRequestError, match="nothing to measure"):
        evaluate(FakeService(), Dataset("singles", items))


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        evaluate(FakeService(), tiny(tmp_path), options=EvaluationOptions(model="nobody"))


@pytest.mark.parametrize(
    ("dataset", "archive"),
    [
        ("covidx-test", "eval-covidx-test-ab12ab12"),
        ("My Data (2024)", "eval-my-data-2024-ab12ab12"),
        ("ü", "eval-data-ab12ab12"),
        ("x" * 80, f"eval-{'x' * 49}-ab12ab12"),
    ],
)
def test_the_archive_is_named_after_data_set_and_model(dataset: str, archive: str) -> None:
    assert evaluation_archive(dataset, MODEL) == archive
    assert len(archive) <= 63
