"""Filling an archive of its own with a data set, or finding it filled."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from xmirad.client.types import ModelInfo, Upload, UploadOutcome, UploadReceipt
from xmirad.datasets import Dataset, DatasetItem
from xmirad.datasets.digests import IdentifiedItem
from xmirad.errors import (
    ArchiveNotFoundError,
    BackendUnavailableError,
    InvalidRequestError,
    ItemAlreadyExistsError,
    ItemDeletedError,
    OverloadedError,
    PayloadTooLargeError,
    XmiradError,
)
from xmirad.evaluation.options import Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.run import Run
from xmirad.evaluation.service import Service
from xmirad.regular_files import read_regular_file
from xmirad.types import EncodedImage, OriginalsPolicy

DIGEST_CHARACTERS = 8
MAX_ARCHIVE_CHARACTERS = 63
EVALUATION_ARCHIVE = re.compile(r"eval-[a-z0-9-]+-[0-9a-f]{8}")
ROUNDS = 4
"""How often an image is sent that the service has no time for, such as a slow one on a busy machine."""


class Answered(Protocol):
    """What came of a request of a stream."""

    @property
    def correlation_id(self) -> str: ...  # noqa: D102

    @property
    def error(self) -> XmiradError | None: ...  # noqa: D102


Answer = TypeVar("Answer", bound=Answered)


@dataclass(frozen=True, slots=True)
class FilledArchive:
    """An archive that holds a data set and nothing else.

    Attributes:
        archive: Its id.
        indices: Of every item, the index of its image in the data set, ascending.
        names: Of every item, its resource name.
        images: Of every item, its image with the digest that the service gave it.
        failures: The images that could not be read or stored.
        stored: Index of every image that is stored, ascending; of images that are byte for byte the same and have no
            identifier of their own, only the first is an item.
        seconds: How long it took.
    """

    archive: str
    indices: tuple[int, ...]
    names: tuple[str, ...]
    images: tuple[IdentifiedItem, ...]
    failures: tuple[Failure, ...]
    stored: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Round:
    receipts: dict[int, UploadReceipt]
    failures: dict[int, Failure]
    is_outdated: bool


def evaluation_archive(dataset: str, model: ModelInfo) -> str:
    """Return the id of the archive for a data set under a model: `eval-{data set}-{first 8 of the model's digest}`."""
    digest = model.digest[:DIGEST_CHARACTERS]
    name = re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-") or "data"
    room = MAX_ARCHIVE_CHARACTERS - len(f"eval--{digest}")
    return f"eval-{name[:room].rstrip('-')}-{digest}"


def is_evaluation_archive(archive: str) -> bool:
    """Return whether an archive's id is one that `evaluation_archive` makes."""
    return EVALUATION_ARCHIVE.fullmatch(archive) is not None


def fill_archive(run: Run) -> FilledArchive:
    """Upload a data set into its archive. What is there already is recognized by the service and not stored again.

    An archive that holds anything else, such as an earlier state of the data set, is deleted and filled anew.

    Raises:
        InvalidRequestError: If fewer than two images could be stored.
        XmiradError: If the service refuses or breaks off.
    """
    begin = time.monotonic()
    archive = evaluation_archive(run.dataset.name, run.model)
    if run.options.fresh:
        delete_archive(run.service, archive)
    uploaded = _upload(run, archive)
    if uploaded.is_outdated:
        delete_archive(run.service, archive)
        uploaded = _upload(run, archive)
    names: dict[str, int] = {}
    for index in sorted(uploaded.receipts):
        names.setdefault(uploaded.receipts[index].item, index)
    failures = (
        *unreadable_files(run.dataset, stage=Stage.UPLOAD),
        *(uploaded.failures[index] for index in sorted(uploaded.failures)),
    )
    if len(names) < 2:
        why = f"; the first failure: {failures[0].file}: {failures[0].message}" if failures else ""
        raise InvalidRequestError(
            f"an evaluation needs two images or more; {len(names)} of {len(run.dataset.items)} could be stored{why}",
            field="path",
            metadata={"stored": str(len(names)), "failed": str(len(failures))},
        )
    return FilledArchive(
        archive=archive,
        indices=tuple(names.values()),
        names=tuple(names),
        images=tuple(
            IdentifiedItem(run.dataset.items[index], uploaded.receipts[index].image_digest) for index in names.values()
        ),
        failures=failures,
        stored=tuple(sorted(uploaded.receipts)),
        seconds=time.monotonic() - begin,
    )


def read_image(item: DatasetItem, *, max_bytes: int) -> EncodedImage | Failure:
    """Read an image file; what is wrong with it is a failure of the image, not of the evaluation.

    A file of more than `max_bytes`, such as a video beside the images, is not read.
    """
    try:
        return EncodedImage(read_regular_file(item.path, max_bytes=max_bytes), frame=item.frame)
    except PayloadTooLargeError as error:
        return Failure(item.path.name, Stage.UPLOAD, reason=error.reason, message=error.message)
    except OSError as error:
        return unreadable(item, error, stage=Stage.UPLOAD)


def unreadable(item: DatasetItem, error: OSError, *, stage: Stage) -> Failure:
    """Return the failure of an image whose file cannot be read."""
    return Failure(item.path.name, stage, reason="FILE_UNREADABLE", message=f"cannot be read: {error.strerror}")


def unreadable_files(dataset: Dataset, *, stage: Stage) -> tuple[Failure, ...]:
    """Return the failures of what the data set's reader could not read."""
    return tuple(
        Failure(each.path.name, stage, reason="FILE_UNREADABLE", message=each.why) for each in dataset.unreadable
    )


def delete_archive(service: Service, archive: str) -> None:
    """Delete an archive with all its items, if it is there."""
    try:
        service.delete_archive(archive, force=True)
    except ArchiveNotFoundError:
        return


def retried(numbers: Sequence[int], stream: Callable[[Sequence[int]], Iterator[Answer]]) -> Iterator[Answer]:
    """Send numbered requests over a stream, and again those that a busy service did not take, in a few rounds.

    Args:
        numbers: What to send; the requests' correlation ids.
        stream: Sends some of them and yields what comes of each.
    """
    for rounds_left in reversed(range(ROUNDS)):
        again: list[int] = []
        pause = 0.0
        for answer in stream(numbers):
            error = answer.error
            if rounds_left and isinstance(error, BackendUnavailableError | OverloadedError):
                again.append(int(answer.correlation_id))
                pause = max(pause, error.retry_delay_seconds or 0.0)
            else:
                yield answer
        if not again:
            return
        numbers = sorted(again)
        time.sleep(pause)


def _upload(run: Run, archive: str) -> _Round:
    run.service.create_archive(archive, model=run.model.digest, originals=OriginalsPolicy.REFERENCE)
    items = run.dataset.items
    receipts: dict[int, UploadReceipt] = {}
    failures: dict[int, Failure] = {}
    is_outdated = False

    def stream(numbers: Sequence[int]) -> Iterator[UploadOutcome]:
        uploads = _uploads(items, numbers, failures, max_bytes=run.max_image_bytes)
        return run.service.upload(archive, uploads, in_flight=run.options.upload_window)

    def tell() -> None:
        failed = len(failures)
        run.progress(Stage.UPLOAD, len(receipts) + failed, len(items), failed + len(run.dataset.unreadable))

    for outcome in retried(range(len(items)), stream):
        index = int(outcome.correlation_id)
        if outcome.receipt is not None:
            receipts[index] = outcome.receipt
        elif outcome.error is not None:
            is_outdated |= isinstance(outcome.error, ItemAlreadyExistsError | ItemDeletedError)
            failures[index] = Failure(
                items[index].path.name, Stage.UPLOAD, reason=outcome.error.reason, message=outcome.error.message
            )
        tell()
    tell()
    stored = len({receipt.item for receipt in receipts.values()})
    is_outdated |= run.service.get_archive(archive).item_count != stored
    return _Round(receipts, failures, is_outdated)


def _uploads(
    items: Sequence[DatasetItem], numbers: Sequence[int], failures: dict[int, Failure], *, max_bytes: int
) -> Iterator[Upload]:
    for index in numbers:
        item = items[index]
        image = read_image(item, max_bytes=max_bytes)
        if isinstance(image, Failure):
            failures[index] = image
            continue
        yield Upload(
            image=image,
            correlation_id=str(index),
            external_id=item.external_id,
            attributes=item.attributes,
            patient=item.patient,
            file_name=item.file_name,
        )
