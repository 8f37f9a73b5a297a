"""Sends a data set to an archive: skips what is there, and goes on where the service comes back after a crash."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Protocol

from xmirad import ids
from xmirad.cli.tally import Tally
from xmirad.client.types import Item, ServerInfo, Upload, UploadOutcome
from xmirad.datasets.dataset import DatasetItem
from xmirad.errors import BackendUnavailableError, InvalidImageError, OverloadedError, PayloadTooLargeError
from xmirad.imaging.media import is_dicom_file
from xmirad.imports.files import read_named
from xmirad.regular_files import opened_regular_file
from xmirad.types import EncodedImage

PAGE = 500
ROUNDS = 5
RESTART_SECONDS = 30.0
FIRST_BYTES = 1 << 16
TEMPORARY = (BackendUnavailableError, OverloadedError)


class Service(Protocol):
    """What is needed of the client."""

    def server_info(self) -> ServerInfo:
        """Return the service's limits."""
        ...

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait until the service answers."""
        ...

    def batch_get_items(self, archive: str, names: Sequence[str]) -> list[Item]:
        """Return the items that exist."""
        ...

    def upload(self, archive: str, uploads: Iterator[Upload]) -> Iterator[UploadOutcome]:
        """Store images."""
        ...


class Uploader:
    """Sends the images of one data set to one archive."""

    def __init__(
        self,
        client: Service,
        archive: str,
        *,
        tally: Tally,
        on_progress: Callable[[Tally], None],
        resume: bool = True,
        restore_deleted: bool = False,
    ) -> None:
        """Send nothing yet.

        Args:
            client: The service.
            archive: The archive's id.
            tally: Names the images and counts what becomes of them.
            on_progress: Called after every image.
            resume: Ask first which images are there, and do not send them.
            restore_deleted: Store images even though they were deleted before.
        """
        self._client = client
        self._archive = archive
        self._tally = tally
        self._on_progress = on_progress
        self._resume = resume
        self._restore_deleted = restore_deleted
        self._max_bytes = 0
        self._pause_seconds = 0.0
        self._lock = Lock()

    def run(self) -> None:
        """Send all images that are not there.

        Raises:
            BackendUnavailableError: If the service went away and did not come back. Running again goes on from there.
        """
        if not self._tally.waiting:
            return
        self._max_bytes = self._client.server_info().max_image_bytes
        for last in (*[False] * (ROUNDS - 1), True):
            try:
                self._round()
            except TEMPORARY:
                if last:
                    raise
            if not self._tally.waiting:
                return
            self._resume = True
            time.sleep(self._pause_seconds)
            self._client.wait_until_ready(RESTART_SECONDS)
        raise BackendUnavailableError("the service is too busy to store all images", metadata={"backend": "retrieval"})

    def _round(self) -> None:
        self._pause_seconds = 0.0
        for outcome in self._client.upload(self._archive, self._uploads(self._tally.waiting)):
            number = int(outcome.correlation_id)
            with self._lock:
                if outcome.receipt is not None:
                    self._tally.stored(number, outcome.receipt)
                elif isinstance(outcome.error, TEMPORARY):
                    self._pause_seconds = max(self._pause_seconds, outcome.error.retry_delay_seconds or 0.0)
                elif outcome.error is not None:
                    self._tally.failed(number, outcome.error)
                self._on_progress(self._tally)

    def _uploads(self, numbers: Sequence[int]) -> Iterator[Upload]:
        for start in range(0, len(numbers), PAGE):
            page = numbers[start : start + PAGE]
            present = self._present(page) if self._resume else {}
            for number in page:
                if number in present:
                    with self._lock:
                        self._tally.present(number, present[number])
                        self._on_progress(self._tally)
                else:
                    yield from self._upload(number)

    def _upload(self, number: int) -> Iterator[Upload]:
        item = self._tally.items[number]
        try:
            data = read_named(item.path, limit=self._max_bytes)
        except (InvalidImageError, PayloadTooLargeError) as error:
            with self._lock:
                self._tally.failed(number, error)
                self._on_progress(self._tally)
            return
        yield Upload(
            image=EncodedImage(data, frame=item.frame),
            correlation_id=str(number),
            external_id=item.external_id,
            attributes=item.attributes,
            patient=item.patient,
            restore_deleted=self._restore_deleted,
            file_name=item.file_name,
        )

    def _present(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return the digests of the images that are there with the same content and attributes, by number."""
        asked = {number: named for number in numbers if (named := self._name_and_digest(self._tally.items[number]))}
        if not asked:
            return {}
        names = [name for name, _ in asked.values()]
        found = {item.name: item for item in self._client.batch_get_items(self._archive, names)}
        return {
            number: digest
            for number, (name, digest) in asked.items()
            if _is_same(found.get(name), self._tally.items[number], digest)
        }

    def _name_and_digest(self, item: DatasetItem) -> tuple[str, str] | None:
        """Return None where the id is not known here: a DICOM instance's depends on the site key."""
        try:
            with opened_regular_file(item.path) as file:
                if os.fstat(file.fileno()).st_size > self._max_bytes:
                    return None  # it is refused without being read
                if is_dicom_file(file.read(FIRST_BYTES)):
                    return None
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None  # sending it will name the reason
        key = ids.upload_key(external_id=item.external_id, digest=digest)
        return ids.item_name(self._archive, ids.item_id(self._archive, key)), digest


def _is_same(found: Item | None, item: DatasetItem, digest: str) -> bool:
    return found is not None and found.image_digest == digest and found.attributes == item.attributes
