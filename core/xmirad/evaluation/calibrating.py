"""Fitting an archive's evidence to validation images, replayed as queries over the wire."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from xmirad.client.search_types import SearchResponse, StreamedOutcome, StreamedSearch
from xmirad.client.types import ArchiveInfo, Embedded, ModelInfo, ServerInfo
from xmirad.datasets import Dataset, DatasetItem
from xmirad.errors import ArchiveNotFoundError, CalibrationRefusedError, InvalidRequestError
from xmirad.evaluation.options import Progress, Silence, Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.uploading import read_image, unreadable_files
from xmirad.evidence.calibration import EvidenceCalibration, Neighborhoods, Provenance, calibrate
from xmirad.evidence.distances import MAX_REFERENCE_ROWS, MIN_REFERENCE_ROWS, NEIGHBORS, FeatureReference
from xmirad.ids import canonical_digest
from xmirad.imaging.media import is_dicom_file
from xmirad.types import EncodedImage, PatientPolicy, UntrainedFeatures

SILENCE = Silence()
SEARCHES_IN_FLIGHT = 16
SAMPLE_SEED = 0x5A3D
Answers = Mapping[int, SearchResponse]


class CalibratedService(Protocol):
    """What calibrating needs of a client."""

    def server_info(self) -> ServerInfo:
        """Return the service's limits."""

    def get_archive(self, archive: str) -> ArchiveInfo:
        """Return an archive."""

    def stream_search(
        self, archive: str, searches: Iterable[StreamedSearch], *, in_flight: int
    ) -> Iterator[StreamedOutcome]:
        """Answer searches and yield what became of each."""

    def get_model(self, model: str) -> ModelInfo:
        """Return a model."""

    def embed_image(self, image: EncodedImage, *, model: str = "") -> Embedded:
        """Compute an image's embedding."""

    def set_evidence_calibration(self, archive: str, calibration: EvidenceCalibration | None) -> ArchiveInfo:
        """Set what turns an archive's nearest items into evidence."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibrating came to.

    Attributes:
        archive: The archive as it is now.
        calibration: What was fitted and stored.
        unlabeled: How many images were passed over because they carry no label.
        failures: The images that could not be searched with.
    """

    archive: ArchiveInfo
    calibration: EvidenceCalibration
    unlabeled: int
    failures: tuple[Failure, ...]


def calibrate_archive(
    service: CalibratedService, archive: str, dataset: Dataset, *, progress: Progress = SILENCE
) -> Calibrated:
    """Search with every labeled image of a data set, fit vote and threshold, and store them with the archive.

    Distances are taken in features that no label has shaped: in the embedding, or, where the model has a head on an
    untrained trunk, in the pooled features of at most 512 of the images, which are embedded once more for that. For a
    model whose trunk was trained no threshold is fitted.

    An image that is an item of the archive, known by its content, does not count for itself, nor do items of its
    patient.

    Raises:
        InvalidRequestError: If too few images can be used, they carry one label only, or are of one patient.
        CalibrationRefusedError: If the fit ends at a bound or does not lower the error on held-out folds; what was
            stored before stays.
        ArchiveNotFoundError: If the archive was deleted meanwhile, be it that another was made of its name.
        XmiradError: If the service refuses or breaks off.
    """
    info = service.get_archive(archive)
    labeled = [index for index, item in enumerate(dataset.items) if item.attributes.labels]
    answers, failures = _replayed(service, archive, dataset.items, labeled, progress)
    indices = sorted(answers)
    found = _neighborhoods([dataset.items[index] for index in indices], [answers[index] for index in indices])
    provenance = Provenance(
        model_digest=info.model.removeprefix("models/"),
        data_digest=canonical_digest(
            sorted([answers[at].query_digest, sorted(dataset.items[at].attributes.labels)] for at in indices)
        ),
        created=time.time(),
    )
    untrained = service.get_model(info.model).untrained_features
    has_own = untrained is UntrainedFeatures.POOLED
    reference = _reference(service, info.model, [dataset.items[index] for index in indices]) if has_own else None
    claims = untrained is UntrainedFeatures.EMBEDDING or reference is not None
    failed = (*unreadable_files(dataset, stage=Stage.SEARCH), *failures)
    try:
        calibration = calibrate(found, provenance, reference=reference, claims_distance=claims)
    except (InvalidRequestError, CalibrationRefusedError) as refused:
        message = f"{refused.message}{_left_out(failed, unlabeled=len(dataset.items) - len(labeled))}. {_kept(info)}"
        raise type(refused)(message, field=refused.field, metadata=refused.metadata) from refused
    _require_same(info, service.get_archive(archive))
    updated = service.set_evidence_calibration(archive, calibration)
    return Calibrated(updated, calibration, len(dataset.items) - len(labeled), failed)


def _left_out(failed: Sequence[Failure], *, unlabeled: int) -> str:
    """Say how many images a calibration that was refused had to do without."""
    parts = [f"{unlabeled} images without a label"] if unlabeled else []
    parts += [f"{len(failed)} that failed (the first: {failed[0].file}: {failed[0].message})"] if failed else []
    return f"; not counted: {', '.join(parts)}" if parts else ""


def _kept(info: ArchiveInfo) -> str:
    if info.evidence_calibration is None:
        return f"Nothing was stored; {info.name} has no calibration"
    when = datetime.fromtimestamp(info.evidence_calibration.created, tz=UTC).date().isoformat()
    return f"Nothing was stored; the calibration of {info.name} from {when} stays"


def _reference(service: CalibratedService, model: str, items: Sequence[DatasetItem]) -> FeatureReference | None:
    """Return the untrained features of at most 512 of the images, or None where the caller may not see features."""
    drawn = np.random.default_rng(SAMPLE_SEED).permutation(len(items))[:MAX_REFERENCE_ROWS]
    max_bytes = service.server_info().max_image_bytes
    rows = []
    for index in sorted(drawn.tolist()):
        image = read_image(items[index], max_bytes=max_bytes)
        if isinstance(image, Failure):
            continue
        features = service.embed_image(image, model=model).untrained_features
        if features is None:
            return None
        rows.append(features)
    return FeatureReference.of(np.stack(rows)) if len(rows) >= MIN_REFERENCE_ROWS else None


def _require_same(before: ArchiveInfo, now: ArchiveInfo) -> None:
    if now.create_time != before.create_time:
        message = (
            f"{before.name} was deleted and made anew while it was calibrated; nothing was stored: calibrate again"
        )
        raise ArchiveNotFoundError(message, field="archive", metadata={"archive": before.archive})


def _replayed(
    service: CalibratedService, archive: str, items: Sequence[DatasetItem], asked: Sequence[int], progress: Progress
) -> tuple[dict[int, SearchResponse], list[Failure]]:
    answers: dict[int, SearchResponse] = {}
    failures: list[Failure] = []
    searches = _searches(items, asked, failures, max_bytes=service.server_info().max_image_bytes)
    for outcome in service.stream_search(archive, searches, in_flight=SEARCHES_IN_FLIGHT):
        index = int(outcome.correlation_id)
        if outcome.response is not None:
            answers[index] = outcome.response
        elif outcome.error is not None:
            name, error = items[index].path.name, outcome.error
            failures.append(Failure(name, Stage.SEARCH, reason=error.reason, message=error.message))
        progress(Stage.SEARCH, len(answers) + len(failures), len(asked), len(failures))
    return answers, failures


def _searches(
    items: Sequence[DatasetItem], asked: Sequence[int], failures: list[Failure], *, max_bytes: int
) -> Iterator[StreamedSearch]:
    for index in asked:
        item = items[index]
        image = read_image(item, max_bytes=max_bytes)
        if isinstance(image, Failure):
            failures.append(image)
            continue
        tells_patient = item.patient is not None or _is_dicom(image)
        yield StreamedSearch(
            correlation_id=str(index),
            source=image,
            top_k=NEIGHBORS,
            patient=item.patient,
            patient_policy=PatientPolicy.EXCLUDE if tells_patient else PatientPolicy.INCLUDE,
            exclude_query_item=True,
            exact=True,
        )


def _is_dicom(image: EncodedImage) -> bool:
    """Return whether an image has a header, which tells whose it is."""
    return image.frame is not None or is_dicom_file(image.data)


def _neighborhoods(items: Sequence[DatasetItem], answers: Sequence[SearchResponse]) -> Neighborhoods:
    of_items = {label for answer in answers for result in answer.results for label in result.labels}
    labels = tuple(sorted(of_items.union(*(item.attributes.labels for item in items))))
    position = {label: at for at, label in enumerate(labels)}
    scores = np.full((len(items), NEIGHBORS), -np.inf)
    has_label = np.zeros((len(items), NEIGHBORS, len(labels)), dtype=np.bool_)
    truth = np.zeros((len(items), len(labels)), dtype=np.bool_)
    for row, (item, answer) in enumerate(zip(items, answers, strict=True)):
        truth[row, [position[label] for label in item.attributes.labels]] = True
        for column, result in enumerate(answer.results):
            scores[row, column] = result.score
            has_label[row, column, [position[label] for label in result.labels]] = True
    keys = [item.patient if item.patient is not None else row for row, item in enumerate(items)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    groups = np.array([numbers[key] for key in keys], dtype=np.intp)
    return Neighborhoods(labels, scores, has_label, truth, groups)
