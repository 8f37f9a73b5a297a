from dataclasses import replace
from pathlib import Path

import pytest

from support.fake_evaluation import CONTROL, MODEL, FakeService, pixel_item
from support.fake_maps import BLIND, FIDELITY
from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, OcclusionMethod
from xmirad.datasets import Dataset
from xmirad.errors import (
    BackendUnavailableError,
    InternalError,
    InvalidRequestError,
    ItemNotFoundError,
    ModelNotFoundError,
    QueueFullError,
)
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, SaliencyOptions, Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.saliency_report import MethodSaliency, SaliencyReport
from xmirad.evaluation.uploading import evaluation_archive
from xmirad.types import ExplanationState

QUICK = SaliencyOptions(queries_per_class=2, in_flight=2, patience_seconds=0.05, pause_seconds=0.001)


def tiny(folder: Path) -> Dataset:
    """Twelve images of three classes; the first result of each is of its own class."""
    items = []
    for number in range(12):
        pixels = [10, 10, 10, number]
        pixels[number % 3] = 200
        items.append(pixel_item(folder / f"i{number:02d}.png", pixels, labels=("xyz"[number % 3],)))
    return Dataset("tiny", tuple(items))


def assessed(service: FakeService, dataset: Dataset, options: SaliencyOptions = QUICK) -> SaliencyReport:
    report = evaluate(service, dataset, options=EvaluationOptions(resamples=50, saliency=options))
    assert report.saliency is not None
    return report.saliency


def overall(method: MethodSaliency) -> dict[str, float]:
    assert method.overall is not None
    return {name: estimate.value for name, estimate in method.overall.figures.items()}


def test_nothing_is_explained_unless_asked_for(tmp_path: Path) -> None:
    service = FakeService(features=())
    assert evaluate(service, tiny(tmp_path), options=EvaluationOptions(resamples=10)).saliency is None
    assert service.asked == []


def test_every_method_explains_the_first_result_of_the_drawn_queries(tmp_path: Path) -> None:
    service = FakeService()
    report = assessed(service, tiny(tmp_path))
    assert (report.queries_per_class, report.control, report.evaluated.queries) == (2, None, 6)
    assert [each.method for each in report.evaluated.methods] == ["occlusion", "attention", "activation"]
    pairs = {(asked.query, asked.result) for asked in service.asked}
    assert len(pairs) == 6
    assert len(service.asked) == 18
    assert all(asked.published_fidelity for asked in service.asked)
    assert {asked.priority for asked in service.asked} == {ExplanationPriority.BACKGROUND}
    first = {search.filter.excluded_items[0]: search for search in service.searches}
    for asked in service.asked:
        others = service.archives[evaluation_archive("tiny", MODEL)]
        query = others[asked.query][0]
        best = max((name for name in others if name != asked.query), key=lambda name: float(query @ others[name][0]))
        assert asked.query in first
        assert asked.result == best


def test_figures_stand_by_both_definitions_for_each_class_and_over_all(tmp_path: Path) -> None:
    occlusion, attention, _ = assessed(FakeService(), tiny(tmp_path)).evaluated.methods
    assert overall(occlusion) == pytest.approx(
        {
            "fidelity": FIDELITY.fidelity,
            "chance_fidelity": 0.0625,
            "better_than_chance": 1.0,
            "insertion": 0.75,
            "deletion": 0.5,
            "insertion_xmir": 0.7,
            "deletion_xmir": 0.55,
        }
    )
    assert [(group.name, group.query_count) for group in occlusion.classes] == [("x", 2), ("y", 2), ("z", 2)]
    assert overall(attention)["fidelity"] == 0.5
    assert all(each.relevant for each in occlusion.maps)
    assert [each.query for each in occlusion.maps] == sorted(each.query for each in occlusion.maps)
    assert "window 24, stride 5" in occlusion.description


def test_all_queries_are_explained_where_no_number_is_given(tmp_path: Path) -> None:
    report = assessed(FakeService(), tiny(tmp_path), replace(QUICK, queries_per_class=None))
    assert report.evaluated.queries == 12
    assert [group.query_count for group in report.evaluated.methods[0].classes] == [4, 4, 4]


def test_the_control_is_asked_the_same_queries_in_an_archive_of_its_own(tmp_path: Path) -> None:
    blind = evaluation_archive("tiny", CONTROL)
    service = FakeService(blind_archives={blind})
    report = assessed(service, tiny(tmp_path), replace(QUICK, control=CONTROL.display_name))
    assert report.control is not None
    assert report.control.model.training_data == "random weights"
    trained, control = report.evaluated.methods[0], report.control.methods[0]
    assert [each.query for each in control.maps] == [each.query for each in trained.maps]
    assert overall(trained)["better_than_chance"] == 1.0
    assert overall(control)["better_than_chance"] == 0.0
    assert overall(control)["fidelity"] == BLIND.fidelity
    assert len([asked for asked in service.asked if asked.result.split("/")[1] == blind]) == 18
    assert len(service.searches) == 12 + 6


def test_archives_are_not_kept_where_they_are_not_wanted(tmp_path: Path) -> None:
    service = FakeService()
    saliency = replace(QUICK, control=CONTROL.digest)
    evaluate(service, tiny(tmp_path), options=EvaluationOptions(keep=False, resamples=10, saliency=saliency))
    assert service.archives == {}


@pytest.mark.parametrize(
    ("outcome", "reason", "message"),
    [
        (InternalError("it broke"), "INTERNAL", "it broke"),
        (ExplanationState.CANCELLED, "EXPLANATION_CANCELLED", "it was cancelled"),
    ],
)
def test_maps_that_fail_are_counted_and_listed_and_the_rest_is_evaluated(
    tmp_path: Path, outcome: InternalError | ExplanationState, reason: str, message: str
) -> None:
    service = FakeService(outcomes={AttentionMethod: outcome})
    report = evaluate(service, tiny(tmp_path), options=EvaluationOptions(resamples=10, saliency=QUICK))
    assert report.saliency is not None
    occlusion, attention, activation = report.saliency.evaluated.methods
    assert (occlusion.failed, attention.failed, activation.failed) == (0, 6, 0)
    assert (attention.overall, attention.classes, attention.maps) == (None, (), ())
    assert (report.failures, report.counts.failed) == ((), 0)
    assert len(report.all_failures) == 6
    failure, result = report.all_failures[0], occlusion.maps[0].result_file
    assert failure == Failure(
        occlusion.maps[0].query_file, Stage.EXPLAIN, reason, f"attention map on {result}: {message}"
    )


def test_what_the_service_refuses_for_one_map_is_a_failure_of_that_map(tmp_path: Path) -> None:
    service = FakeService(refusals=[ItemNotFoundError("the item is gone")])
    evaluated = assessed(service, tiny(tmp_path), replace(QUICK, in_flight=1)).evaluated
    assert [method.failed for method in evaluated.methods] == [1, 0, 0]
    assert [failure.reason for failure in evaluated.failures] == ["ITEM_NOT_FOUND"]


def test_a_full_queue_is_waited_for_and_in_vain_only_for_a_while(tmp_path: Path) -> None:
    full = QueueFullError("no room", retry_delay_seconds=0.001)
    patient = replace(QUICK, patience_seconds=60.0)
    assert assessed(FakeService(refusals=[full] * 3), tiny(tmp_path), patient).evaluated.failures == ()
    hurried = replace(QUICK, patience_seconds=0.0, in_flight=1)
    failures = assessed(FakeService(refusals=[full] * 2), tiny(tmp_path), hurried).evaluated.failures
    assert {failure.reason for failure in failures} == {"EXPLANATION_QUEUE_FULL"}


def test_a_fidelity_that_comes_after_the_watch_is_waited_for(tmp_path: Path) -> None:
    service = FakeService(silent_looks=5)
    evaluated = assessed(service, tiny(tmp_path), replace(QUICK, patience_seconds=60.0)).evaluated
    assert evaluated.failures == ()
    assert service.looks > 5


def test_a_fidelity_that_never_comes_is_a_failure(tmp_path: Path) -> None:
    service = FakeService(silent_looks=1_000_000)
    evaluated = assessed(service, tiny(tmp_path)).evaluated
    assert {failure.reason for failure in evaluated.failures} == {"FIDELITY_MISSING"}
    assert [method.failed for method in evaluated.methods] == [6, 6, 6]


def test_a_service_that_breaks_off_ends_the_evaluation(tmp_path: Path) -> None:
    service = FakeService(refusals=[BackendUnavailableError("gone", metadata={"backend": "service"})])
    with pytest.raises(BackendUnavailableError):
        assessed(service, tiny(tmp_path))


def test_a_service_without_a_queue_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    service = FakeService(features=("explanations",))
    with pytest.raises(BackendUnavailableError, match="xmirad up") as caught:
        assessed(service, tiny(tmp_path))
    assert caught.value.metadata["backend"] == "queue"
    assert service.uploads == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (replace(QUICK, queries_per_class=0), InvalidRequestError, "at least 1"),
        (replace(QUICK, control=MODEL.digest), InvalidRequestError, "the evaluated model itself"),
        (replace(QUICK, control="other"), InvalidRequestError, "must be a none"),
        (replace(QUICK, control="nobody"), ModelNotFoundError, "no such model"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_is_sent(
    tmp_path: Path, options: SaliencyOptions, error: type[Exception], message: str
) -> None:
    service = FakeService()
    with pytest.raises(error, match=message):
        assessed(service, tiny(tmp_path), options)
    assert service.uploads == 0


def test_progress_is_told_pair_by_pair_for_model_and_control(tmp_path: Path) -> None:
    seen: list[tuple[Stage, int, int]] = []
    options = EvaluationOptions(resamples=10, saliency=replace(QUICK, control=CONTROL.digest))
    evaluate(
        FakeService(),
        tiny(tmp_path),
        options=options,
        progress=lambda stage, done, total, failed=0: seen.append((stage, done, total)),
    )
    assert [each for each in seen if each[0] is Stage.EXPLAIN] == [(Stage.EXPLAIN, n, 6) for n in range(7)] * 2
    assert seen.count((Stage.SEARCH, 6, 6)) == 1


def test_parameters_of_methods_are_named(tmp_path: Path) -> None:
    methods = (OcclusionMethod(stride=12, signed=True), ActivationMethod(signed=True))
    evaluated = assessed(FakeService(), tiny(tmp_path), replace(QUICK, methods=methods)).evaluated
    assert [each.description for each in evaluated.methods] == [
        "occlusion, window 24, stride 12, fill zero, codec int8, signed",
        "activation, signed",
    ]
