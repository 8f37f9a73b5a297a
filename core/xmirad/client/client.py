"""The synchronous SDK."""

import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from xmirad.api.vocabulary import ItemView, SearchView
from xmirad.client import archive_calls, search_calls
from xmirad.client.access import AccessMethods
from xmirad.client.connection import Connection, not_ready
from xmirad.client.credentials import NO_CREDENTIALS, Credentials
from xmirad.client.exchange import Exchange
from xmirad.client.explaining import ExplanationMethods
from xmirad.client.importing import ImportMethods
from xmirad.client.search_types import SearchResponse, SearchSource, StreamedOutcome, StreamedSearch
from xmirad.client.stream_kinds import Asked, Outcome, StreamKind, searching, uploading
from xmirad.client.types import (
    ArchiveInfo,
    ArchiveStats,
    Embedded,
    Item,
    ModelInfo,
    PurgeCounts,
    ServerInfo,
    Upload,
    UploadOutcome,
    UploadReceipt,
)
from xmirad.errors import BackendUnavailableError
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.types import EncodedImage, ItemFilter, OriginalsPolicy, Patient, PatientPolicy

DEFAULT_ADDRESS = "127.0.0.1:50051"
READY_PAUSE_SECONDS = 0.05
NO_FILTER = ItemFilter()


class Client(ExplanationMethods, ImportMethods, AccessMethods):
    """A connection to a service. A context manager, and safe to use from several threads.

    Archives are named by their short id (`covidx`), items by their resource name as results carry it
    (`archives/covidx/items/…`), models by short name, digest or resource name.

    Every method raises the error class that the service raised, `BackendUnavailableError` where nothing answers, and
    `TimeoutError` where the answer takes too long. Calls are safely repeated where the service was not available.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_seconds: float = 60.0,
        credentials: Credentials = NO_CREDENTIALS,
    ) -> None:
        """Prepare a client; the connection is made with the first call.

        Args:
            address: Host and port, or `unix:` and a path.
            timeout_seconds: How long a call may take, its repetitions included. In a stream: how long the service may
                be silent while it owes an answer.
            credentials: For a service that is locked.

        Raises:
            InvalidRequestError: If the credentials cannot be used with this address.
        """
        super().__init__(Connection(address, timeout_seconds=timeout_seconds, credentials=credentials))

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connection; calls that are under way are cancelled."""
        self._connection.close()

    def server_info(self) -> ServerInfo:
        """Return version, limits and abilities of the service."""
        return self._connection.run(archive_calls.server_info())

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait until the service answers.

        Raises:
            BackendUnavailableError: If it does not answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._connection.run(archive_calls.server_info(), timeout_seconds=left, wait_for_ready=True)
            except (BackendUnavailableError, TimeoutError):
                time.sleep(min(READY_PAUSE_SECONDS, left))
            else:
                return
        raise not_ready(self._connection.address, timeout_seconds)

    def list_models(self) -> list[ModelInfo]:
        """Return the models by short name, without their cards."""
        return self._connection.run(archive_calls.list_models())

    def get_model(self, name: str) -> ModelInfo:
        """Return a model with its card."""
        return self._connection.run(archive_calls.get_model(name))

    def create_archive(
        self, archive: str, *, model: str = "", originals: OriginalsPolicy = OriginalsPolicy.COPY
    ) -> ArchiveInfo:
        """Create an archive, bound to a model for good; repeating the call returns the archive that is there."""
        return self._connection.run(archive_calls.create_archive(archive, model=model, originals=originals))

    def get_archive(self, archive: str) -> ArchiveInfo:
        """Return an archive."""
        return self._connection.run(archive_calls.get_archive(archive))

    def list_archives(self) -> Iterator[ArchiveInfo]:
        """Yield the archives by name, fetching them page by page."""
        return self._connection.entries(archive_calls.list_archives)

    def rebuild_archive(self, archive: str) -> ArchiveInfo:
        """Ask for an archive's index to be made again, and return the archive at once: it says how far that is."""
        return self._connection.run(archive_calls.rebuild_archive(archive))

    def delete_archive(self, archive: str, *, force: bool = False) -> None:
        """Delete an archive; with `force` even though it holds items."""
        self._connection.run(archive_calls.delete_archive(archive, force=force))

    def set_evidence_calibration(self, archive: str, calibration: EvidenceCalibration | None) -> ArchiveInfo:
        """Set what turns an archive's nearest items into evidence, or take it away with None; return the archive."""
        return self._connection.run(archive_calls.set_evidence_calibration(archive, calibration))

    def archive_stats(self, archive: str) -> ArchiveStats:
        """Return how many items of an archive have which values."""
        return self._connection.run(archive_calls.archive_stats(archive))

    def upload(self, archive: str, uploads: Iterable[Upload], *, in_flight: int = 32) -> Iterator[UploadOutcome]:
        """Store many images over one stream and yield what became of each, in any order.

        The uploads are read lazily, by another thread, and only while fewer than `in_flight` are unanswered. A failing
        upload is an outcome with an error and does not end the stream. Every upload that was read gets one outcome: if
        the stream breaks, the unanswered ones are yielded as failed and the reason is raised after them; sending them
        again is safe. What the iterable itself raises is raised after the outcomes of all that was read. Closing the
        iterator cancels the stream.
        """
        return self._exchange(uploading(archive), uploads, in_flight)

    def create_item(self, archive: str, upload: Upload) -> UploadReceipt:
        """Store one image."""
        return self._connection.run(archive_calls.create_item(archive, upload))

    def get_item(self, name: str, *, view: ItemView = ItemView.BASIC) -> Item:
        """Return an item."""
        return self._connection.run(archive_calls.get_item(name, view=view))

    def list_items(
        self, archive: str, *, filter: ItemFilter = NO_FILTER, view: ItemView = ItemView.BASIC
    ) -> Iterator[Item]:
        """Yield an archive's items in the order of their ids, fetching them page by page."""
        return self._connection.entries(
            lambda token: archive_calls.list_items(archive, token, item_filter=filter, view=view)
        )

    def batch_get_items(self, archive: str, names: Sequence[str], *, view: ItemView = ItemView.BASIC) -> list[Item]:
        """Return the items of an archive that exist, in the order asked for."""
        calls = archive_calls.batch_get_items(archive, names, view=view)
        return [item for call in calls for item in self._connection.run(call)]

    def delete_item(self, name: str) -> None:
        """Delete an item and everything derived from its image."""
        self._connection.run(archive_calls.delete_item(name))

    def purge_items(
        self,
        archive: str,
        *,
        filter: ItemFilter | None = None,
        patient: Patient | None = None,
        force: bool = False,
    ) -> PurgeCounts:
        """Count, and with `force` delete, the items of a filter or of a patient."""
        return self._connection.run(
            archive_calls.purge_items(archive, item_filter=filter, patient=patient, force=force)
        )

    def item_image(self, name: str) -> bytes:
        """Return what the model saw of an item, as PNG."""
        return self._connection.run(archive_calls.item_image(name))

    def search(
        self,
        archive: str,
        source: SearchSource,
        *,
        top_k: int = 10,
        filter: ItemFilter = NO_FILTER,
        patient: Patient | None = None,
        patient_policy: PatientPolicy = PatientPolicy.INCLUDE,
        exclude_query_item: bool = False,
        min_score: float | None = None,
        exact: bool = False,
        model: str = "",
        view: SearchView = SearchView.BASIC,
        explain_top: int = 0,
        evidence: bool = False,
        allow_partial: bool = False,
    ) -> SearchResponse:
        """Return the nearest items of an image, of an item (by name) or of a vector; see `StreamedSearch`."""
        search = StreamedSearch(
            correlation_id="",
            source=source,
            top_k=top_k,
            filter=filter,
            patient=patient,
            patient_policy=patient_policy,
            exclude_query_item=exclude_query_item,
            min_score=min_score,
            exact=exact,
            model=model,
            view=view,
            explain_top=explain_top,
            evidence=evidence,
            allow_partial=allow_partial,
        )
        return self._connection.run(search_calls.search(archive, search))

    def stream_search(
        self, archive: str, searches: Iterable[StreamedSearch], *, in_flight: int = 16
    ) -> Iterator[StreamedOutcome]:
        """Answer many searches over one stream and yield what became of each, in any order; see `upload`."""
        return self._exchange(searching(archive), searches, in_flight)

    def embed_image(self, image: EncodedImage, *, model: str = "") -> Embedded:
        """Return the embedding of an image."""
        return self._connection.run(search_calls.embed_image(image, model=model))

    def _exchange(self, kind: StreamKind[Asked, Outcome], asked: Iterable[Asked], in_flight: int) -> Iterator[Outcome]:
        return Exchange(self._connection, kind, asked, in_flight=in_flight).outcomes()
