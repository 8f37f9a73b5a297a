"""Evidence and feedback over the wire from the real service, against what can be computed from its vectors."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.command import run_json
from support.live_service import live_service
from support.pictures import png
from support.sample_items import COPY_OF, SAMPLES, samples, store_samples
from support.sample_world import ARCHIVE, World, sample_world
from xmirad.api.vocabulary import SearchView
from xmirad.client import Feedback
from xmirad.client.search_types import SearchResponse, SearchSource
from xmirad.errors import InvalidRequestError, ModelMismatchError
from xmirad.evidence import label_confidences
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.distances import FeatureReference
from xmirad.types import Float32Array, ItemFilter, Patient, PatientPolicy

OUTSIDE = 1000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with sample_world(tmp_path_factory.mktemp("evidence")) as made:
        yield made


@pytest.fixture
def calibrated(world: World) -> Iterator[EvidenceCalibration]:
    calibration = calibration_of(world)
    world.client.set_evidence_calibration(ARCHIVE, calibration)
    yield calibration
    world.client.set_evidence_calibration(ARCHIVE, None)


def calibration_of(world: World) -> EvidenceCalibration:
    return EvidenceCalibration(
        temperature=0.02,
        pseudo_count=0.25,
        label_count=4,
        distance_threshold=0.5,
        neighbors=10,
        labels=("covid", "normal"),
        queries=147,
        folds=5,
        error_before=0.2,
        error_after=0.05,
        model_digest=world.client.get_archive(ARCHIVE).model.removeprefix("models/"),
        data_digest="d" * 64,
        created=datetime(2026, 1, 2, tzinfo=UTC).timestamp(),
    )


def expected(world: World, query: Float32Array, *, own: set[int], patient: Patient | None) -> list[tuple[float, Any]]:
    """Return scores and labels of the ten nearest that count."""
    ranked = world.slow.ranking(
        query, keep=lambda each: each.number not in own and (patient is None or each.patient != patient)
    )
    labels = {world.names[each.number]: each.attributes.labels for each in samples()}
    return [(score, labels[name]) for name, score in ranked[:10]]


def assert_says(
    response: SearchResponse, nearest: list[tuple[float, Any]], *, calibration: EvidenceCalibration | None = None
) -> None:
    evidence = response.evidence
    assert evidence is not None
    names = sorted({label for _, labels in nearest for label in labels})
    has_label = [[name in labels for name in names] for _, labels in nearest]
    if calibration is None:
        assert {each.confidence for each in evidence.labels} == {None}
    else:
        count = max(calibration.label_count, len(names))
        scores = [score for score, _ in nearest]
        confidences = label_confidences(scores, has_label, vote=calibration.vote, label_count=count)
        wanted = dict(zip(names, confidences.tolist(), strict=True))
        assert {each.label: each.confidence for each in evidence.labels} == pytest.approx(wanted, abs=1e-3)
    counts = {name: sum(name in labels for _, labels in nearest) for name in names}
    assert {each.label: each.item_count for each in evidence.labels} == counts
    assert evidence.mean_distance == pytest.approx(np.mean([1 - score for score, _ in nearest]), abs=1e-4)
    assert evidence.counted_items == len(nearest)


def test_evidence_is_returned_where_it_is_asked_for_only(world: World) -> None:
    assert world.client.search(ARCHIVE, png(OUTSIDE)).evidence is None


@pytest.mark.parametrize("top_k", [1, 10, SAMPLES])
@pytest.mark.parametrize("view", list(SearchView))
def test_the_ten_nearest_count_whatever_is_returned(world: World, top_k: int, view: SearchView) -> None:
    response = world.client.search(ARCHIVE, png(OUTSIDE), top_k=top_k, view=view, evidence=True)
    assert len(response.results) == top_k
    query = world.client.embed_image(png(OUTSIDE)).embedding
    assert_says(response, expected(world, query, own=set(), patient=None))


def test_evidence_without_calibration_has_no_verdict(world: World) -> None:
    evidence = world.client.search(ARCHIVE, png(OUTSIDE), evidence=True).evidence
    assert evidence is not None
    assert (evidence.calibrated, evidence.calibration_queries) == (False, 0)
    assert (evidence.distance_threshold, evidence.out_of_distribution) == (None, None)


def test_neither_the_querys_image_nor_its_patient_counts(world: World) -> None:
    own, patient = {3, *COPY_OF}, Patient("P3", "clinic")
    for source, stated in ((world.names[3], None), (png(3), patient)):
        response = world.client.search(ARCHIVE, source, patient=stated, evidence=True)
        assert response.results[0].item in {world.names[each] for each in own}
        nearest = expected(world, world.slow.embeddings[3], own=own, patient=patient)
        assert_says(response, nearest)
        assert response.evidence is not None
        assert response.evidence.same_patient_items == sum(
            each.patient == patient and each.number not in own for each in samples()
        )


@pytest.mark.parametrize("policy", list(PatientPolicy))
def test_the_patient_policy_changes_the_results_and_not_the_evidence(world: World, policy: PatientPolicy) -> None:
    response = world.client.search(ARCHIVE, world.names[6], patient_policy=policy, min_score=0.0, evidence=True)
    nearest = expected(world, world.slow.embeddings[6], own={6}, patient=Patient("P1", "clinic"))
    assert_says(response, nearest)


def test_a_calibration_is_shown_used_and_taken_away(world: World, calibrated: EvidenceCalibration) -> None:
    assert world.client.get_archive(ARCHIVE).evidence_calibration == calibrated
    assert world.client.archive_stats(ARCHIVE).archive.evidence_calibration == calibrated
    query = world.client.embed_image(png(OUTSIDE)).embedding
    response = world.client.search(ARCHIVE, png(OUTSIDE), evidence=True)
    nearest = expected(world, query, own=set(), patient=None)
    assert_says(response, nearest, calibration=calibrated)
    evidence = response.evidence
    assert evidence is not None
    assert (evidence.calibrated, evidence.calibration_queries, evidence.distance_threshold) == (True, 147, 0.5)
    assert evidence.out_of_distribution == (np.mean([1 - score for score, _ in nearest]) > 0.5)

    world.client.set_evidence_calibration(ARCHIVE, replace(calibrated, distance_threshold=0.0))
    far = world.client.search(ARCHIVE, png(OUTSIDE), evidence=True).evidence
    assert far is not None
    assert far.out_of_distribution
    assert (far.labels, far.counted_items) == ((), 10)
    assert world.client.set_evidence_calibration(ARCHIVE, None).evidence_calibration is None
    plain = world.client.search(ARCHIVE, png(OUTSIDE), evidence=True).evidence
    assert plain is not None
    assert not plain.calibrated


def test_searches_that_confidences_were_not_fitted_for_are_not_called_calibrated(
    world: World, calibrated: EvidenceCalibration
) -> None:
    def is_calibrated(source: SearchSource, item_filter: ItemFilter) -> bool:
        evidence = world.client.search(ARCHIVE, source, filter=item_filter, evidence=True).evidence
        assert evidence is not None
        return evidence.calibrated

    without_one = ItemFilter(excluded_items=(world.names[0],))
    assert is_calibrated(png(OUTSIDE), without_one)
    assert not is_calibrated(png(OUTSIDE), ItemFilter(splits=("train",)))
    assert not is_calibrated(world.client.embed_image(png(OUTSIDE)).embedding, without_one)
    assert not is_calibrated(Feedback(png(OUTSIDE), (world.names[0],)), ItemFilter())
    fewer = ItemFilter(excluded_items=tuple(world.names[number] for number in range(SAMPLES - 9)))
    assert not is_calibrated(png(OUTSIDE), fewer)


def test_a_calibration_of_another_model_is_refused(world: World) -> None:
    with pytest.raises(ModelMismatchError) as caught:
        world.client.set_evidence_calibration(ARCHIVE, replace(calibration_of(world), model_digest="a" * 64))
    assert caught.value.field == "calibration.model"
    assert world.client.get_archive(ARCHIVE).evidence_calibration is None


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("temperature", 0.0, "temperature"),
        ("temperature", float("nan"), "temperature"),
        ("distance_threshold", 2.5, "distance_threshold"),
        ("neighbors", 5, "nearest_items"),
        ("labels", ("covid",), "labels"),
        ("queries", 19, "query_count"),
        ("error_after", 1.5, "error_after"),
        ("error_after", 0.2, "error_after"),
        ("pseudo_count", 0.0, "pseudo_count"),
        ("label_count", 1, "label_count"),
        ("reference", FeatureReference.of(np.eye(12, dtype=np.float32)), "reference"),
        ("model_digest", "efficientnet", "model"),
        ("data_digest", "", "data_digest"),
    ],
)
def test_a_calibration_out_of_its_range_is_refused(world: World, field: str, value: object, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        world.client.set_evidence_calibration(ARCHIVE, replace(calibration_of(world), **{field: value}))  # type: ignore[arg-type]
    assert caught.value.field == f"calibration.{path}"


def test_an_archive_that_is_made_again_has_no_calibration(world: World) -> None:
    world.client.create_archive("short-lived")
    world.client.set_evidence_calibration("short-lived", calibration_of(world))
    world.client.delete_archive("short-lived")
    assert world.client.create_archive("short-lived").evidence_calibration is None


def test_calibration_survives_a_restart_and_a_rebuild(tmp_path: Path, world: World) -> None:
    with live_service(tmp_path / "home") as service:
        with service.start() as client:
            store_samples(client, ARCHIVE)
            client.set_evidence_calibration(ARCHIVE, calibration_of(world))
        service.kill()
        with service.start() as client:
            assert client.get_archive(ARCHIVE).evidence_calibration == calibration_of(world)
        assert service.stop() == 0
        assert run_json(service.home, "archive", "rebuild", ARCHIVE)["items"] == SAMPLES
        with service.start() as client:
            assert client.get_archive(ARCHIVE).evidence_calibration == calibration_of(world)
            evidence = client.search(ARCHIVE, png(OUTSIDE), evidence=True).evidence
            assert evidence is not None
            assert evidence.calibrated
