import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from support.fake_evaluation import MODEL, FakeService, embed, pixel_item
from xmirad.api.vocabulary import QueryItemExclusion
from xmirad.client.search_types import SearchResponse, SearchResult, SearchTimings, StreamedOutcome, StreamedSearch
from xmirad.client.types import ArchiveInfo, Embedded, ModelInfo, ServerInfo
from xmirad.datasets import Dataset, DatasetItem
from xmirad.errors import ArchiveNotFoundError, CalibrationRefusedError, InvalidRequestError, OverloadedError
from xmirad.evaluation.calibrating import calibrate_archive
from xmirad.evaluation.options import Stage
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.types import EncodedImage, ItemAttributes, OriginalsPolicy, PatientPolicy, UntrainedFeatures

LABELS = ("benign", "malignant")


@dataclass
class CalibratedService:
    """Searches items by brute force, and remembers what it was asked and told."""

    items: list[DatasetItem]
    failing: set[str] = field(default_factory=set)
    searches: list[StreamedSearch] = field(default_factory=list)
    calibration: EvidenceCalibration | None = None
    created: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    is_remade: bool = False
    untrained: UntrainedFeatures = UntrainedFeatures.EMBEDDING
    shows_features: bool = True
    embedded: int = 0

    def get_model(self, model: str) -> ModelInfo:
        assert model == MODEL.name
        return replace(MODEL, untrained_features=self.untrained)

    def embed_image(self, image: EncodedImage, *, model: str = "") -> Embedded:
        assert model == MODEL.name
        self.embedded += 1
        vector = embed(image)
        features = vector if self.untrained is UntrainedFeatures.POOLED and self.shows_features else None
        return Embedded(model, hashlib.sha256(image.data).hexdigest(), vector, "id", features)

    def server_info(self) -> ServerInfo:
        return FakeService().server_info()

    def get_archive(self, archive: str) -> ArchiveInfo:
        when, count = self.created, len(self.items)
        return ArchiveInfo(f"archives/{archive}", MODEL.name, OriginalsPolicy.COPY, count, when, self.calibration)

    def set_evidence_calibration(self, archive: str, calibration: EvidenceCalibration | None) -> ArchiveInfo:
        self.calibration = calibration
        return self.get_archive(archive)

    def stream_search(
        self, archive: str, searches: Iterable[StreamedSearch], *, in_flight: int
    ) -> Iterator[StreamedOutcome]:
        for search in searches:
            self.searches.append(search)
            self.created += timedelta(days=self.is_remade)
            if search.correlation_id in self.failing:
                yield StreamedOutcome(search.correlation_id, None, OverloadedError("try later"))
            else:
                yield StreamedOutcome(search.correlation_id, self._search(search), None)

    def _search(self, search: StreamedSearch) -> SearchResponse:
        assert isinstance(search.source, EncodedImage)
        query, digest = embed(search.source), hashlib.sha256(search.source.data).hexdigest()
        scored = []
        for item in self.items:
            image = EncodedImage(item.path.read_bytes())
            own = search.exclude_query_item and image.data == search.source.data
            same = search.patient_policy is PatientPolicy.EXCLUDE and item.patient == search.patient
            if not own and not same:
                scored.append((float(query @ embed(image)), item))
        ranked = sorted(scored, key=lambda pair: -pair[0])[: search.top_k]
        results = tuple(
            SearchResult(item.path.stem, rank, score, item.attributes.labels)
            for rank, (score, item) in enumerate(ranked, start=1)
        )
        none, timings = QueryItemExclusion.NONE, SearchTimings(0, 0, 0)
        return SearchResponse(results, MODEL.name, digest, len(scored), True, none, timings, "id")


def images(folder: Path, count: int, *, seed: int, flipped: float = 0.0, patients: bool = False) -> list[DatasetItem]:
    """Write images of two kinds that can mostly be told apart; a share of them has the label of the other kind."""
    random = np.random.default_rng(seed)
    items = []
    for number in range(count):
        kind = number % 2
        pixels = [int(each) for each in random.integers(60, 200, 6)]
        pixels[kind] = 250
        patient = f"p{number % 4}" if patients else ""
        label = LABELS[kind ^ int(random.uniform() < flipped)]
        items.append(pixel_item(folder / f"i{number}.png", pixels, labels=(label,), patient=patient))
    return items


@pytest.fixture
def service(tmp_path: Path) -> CalibratedService:
    return CalibratedService(images(tmp_path / "archive", 40, seed=1, flipped=0.1))


@pytest.fixture
def validation(tmp_path: Path) -> Dataset:
    return Dataset("validation", tuple(images(tmp_path / "validation", 30, seed=2, flipped=0.3)))


def test_what_is_fitted_is_stored_with_the_archive(service: CalibratedService, validation: Dataset) -> None:
    done = calibrate_archive(service, "skin", validation)
    assert service.calibration == done.calibration == done.archive.evidence_calibration
    assert (done.calibration.queries, done.calibration.labels) == (30, LABELS)
    assert done.calibration.model_digest == MODEL.digest
    assert done.calibration.error_after < done.calibration.error_before
    assert (done.unlabeled, done.failures) == (0, ())


def test_the_data_digest_depends_on_images_and_labels_and_not_on_their_order(
    service: CalibratedService, validation: Dataset
) -> None:
    def digest(items: tuple[DatasetItem, ...]) -> str:
        return calibrate_archive(service, "skin", replace(validation, items=items)).calibration.data_digest

    first, *others = validation.items
    other = LABELS[first.attributes.labels == LABELS[:1]]
    relabeled = replace(first, attributes=replace(first.attributes, labels=(other,)))
    assert digest(validation.items) == digest(validation.items[::-1])
    assert digest((relabeled, *others)) != digest(validation.items) != digest(tuple(others))


def test_images_of_the_archive_do_not_count_for_themselves_nor_for_their_patient(tmp_path: Path) -> None:
    items = images(tmp_path, 40, seed=2, flipped=0.3, patients=True)
    service = CalibratedService(items)
    calibrate_archive(service, "skin", Dataset("own", tuple(items)))
    assert len(service.searches) == 40
    for search, item in zip(service.searches, items, strict=True):
        assert search.exclude_query_item
        assert (search.patient, search.patient_policy) == (item.patient, PatientPolicy.EXCLUDE)


def test_the_header_of_a_dicom_file_tells_the_patient(service: CalibratedService, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(bytes(128) + b"DICM")
    item = DatasetItem(path, "", ItemAttributes(labels=("benign",)))
    with pytest.raises(Exception, match="no image"):
        calibrate_archive(service, "skin", Dataset("dicom", (item,)))
    assert service.searches[0].patient_policy is PatientPolicy.EXCLUDE
    assert service.searches[0].patient is None


def test_failures_and_images_without_labels_are_told_apart(service: CalibratedService, validation: Dataset) -> None:
    items = list(validation.items)
    items[3] = replace(items[3], attributes=ItemAttributes())
    items[4] = replace(items[4], path=items[4].path.with_name("gone.png"))
    service.failing = {"6"}
    told: list[tuple[Stage, int, int, int]] = []
    done = calibrate_archive(
        service, "skin", replace(validation, items=tuple(items)), progress=lambda *step: told.append(step)
    )
    assert done.unlabeled == 1
    assert [(each.file, each.reason) for each in done.failures] == [
        ("gone.png", "FILE_UNREADABLE"),
        ("i6.png", "OVERLOADED"),
    ]
    assert done.calibration.queries == 27
    assert told[-1] == (Stage.SEARCH, 29, 29, 2)


def test_too_few_images_and_a_single_label_are_refused_and_nothing_is_stored(
    service: CalibratedService, validation: Dataset
) -> None:
    few = replace(validation, items=validation.items[:19])
    alike = replace(
        validation,
        items=tuple(replace(item, attributes=ItemAttributes(labels=("benign",))) for item in validation.items),
    )
    for dataset, what in ((few, "at least 20"), (alike, "at least 2 labels")):
        with pytest.raises(InvalidRequestError, match=what):
            calibrate_archive(service, "skin", dataset)
    assert service.calibration is None


def test_a_refusal_names_images_that_failed_and_those_without_a_label(
    service: CalibratedService, validation: Dataset
) -> None:
    items = [replace(item, path=item.path.with_name(f"gone{at}.png")) for at, item in enumerate(validation.items)]
    items[0] = replace(items[0], attributes=ItemAttributes())
    with pytest.raises(InvalidRequestError, match="not counted: 1 images without a label, 29 that failed") as refused:
        calibrate_archive(service, "skin", replace(validation, items=tuple(items)))
    assert "gone1.png: cannot be read: No such file or directory" in str(refused.value)


def test_what_was_fitted_on_an_archive_that_was_made_anew_is_not_stored(
    service: CalibratedService, validation: Dataset
) -> None:
    service.is_remade = True
    with pytest.raises(ArchiveNotFoundError, match="made anew while it was calibrated"):
        calibrate_archive(service, "skin", validation)
    assert service.calibration is None


def test_a_calibration_that_cannot_be_believed_is_refused_and_what_was_there_stays(
    service: CalibratedService, validation: Dataset
) -> None:
    right = tuple(item for item in service.items if item.attributes.labels)
    with pytest.raises(CalibrationRefusedError, match=r"Nothing was stored; archives/skin has no calibration"):
        calibrate_archive(service, "skin", Dataset("own", right))
    done = calibrate_archive(service, "skin", validation)
    with pytest.raises(CalibrationRefusedError, match=r"the calibration of archives/skin from \d{4}-\d\d-\d\d stays"):
        calibrate_archive(service, "skin", Dataset("own", right))
    assert service.calibration == done.calibration


@pytest.mark.parametrize(
    ("untrained", "shows_features", "claims", "embedded"),
    [
        (UntrainedFeatures.EMBEDDING, True, True, 0),
        (UntrainedFeatures.POOLED, True, True, 30),
        (UntrainedFeatures.POOLED, False, False, 1),
        (UntrainedFeatures.NONE, True, False, 0),
    ],
)
def test_a_threshold_is_fitted_only_in_features_that_no_label_has_shaped(
    service: CalibratedService,
    validation: Dataset,
    untrained: UntrainedFeatures,
    shows_features: bool,
    claims: bool,
    embedded: int,
) -> None:
    service.untrained, service.shows_features = untrained, shows_features
    fitted = calibrate_archive(service, "skin", validation).calibration
    assert (fitted.distance_threshold is not None) is claims
    assert (fitted.reference is not None) is (claims and untrained is UntrainedFeatures.POOLED)
    assert service.embedded == embedded
