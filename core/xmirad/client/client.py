"""The synchronous SDK."""

import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from xmirad.api.enums import ITEM_VIEW
from xmirad.api.limits import DEFAULT_MAX_MESSAGE_BYTES, MAX_NAMES, MAX_PAGE_SIZE
from xmirad.api.v1 import archive_service_pb2 as archives
from xmirad.api.v1 import model_service_pb2 as models
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.api.v1 import server_service_pb2 as servers
from xmirad.api.v1.archive_service_pb2_grpc import ArchiveServiceStub
from xmirad.api.v1.model_service_pb2_grpc import ModelServiceStub
from xmirad.api.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from xmirad.api.v1.server_service_pb2_grpc import ServerServiceStub
from xmirad.api.vocabulary import ItemView, SearchView
from xmirad.client import parsing, requests, search_parsing
from xmirad.client.connection import Connection
from xmirad.client.exchange import Asked, Exchange, Outcome, Received, Sent, StreamKind
from xmirad.client.pages import entries_of_pages
from xmirad.client.search_types import SearchResponse, SearchSource, StreamedOutcome, StreamedSearch
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
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.ids import archive_name
from xmirad.types import EncodedImage, ItemFilter, OriginalsPolicy, Patient, PatientPolicy

DEFAULT_ADDRESS = "127.0.0.1:50051"
READY_PAUSE_SECONDS = 0.05
NO_FILTER = ItemFilter()


class Client:
    """A connection to a service. A context manager, and safe to use from several threads.

    Archives are named by their short id (`covidx`), items by their resource name as results carry it
    (`archives/covidx/items/…`), models by short name, digest or resource name.

    Every method raises the error class that the service raised, `BackendUnavailableError` where nothing answers, and
    `TimeoutError` where the answer takes too long. Calls are safely repeated where the service was not available.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, *, timeout_seconds: float = 60.0) -> None:
        """Prepare a client; the connection is made with the first call.

        Args:
            address: Host and port, or `unix:` and a path.
            timeout_seconds: How long a call may take, its repetitions included. In a stream: how long the service may
                be silent while it owes an answer.
        """
        self._connection = Connection(address, timeout_seconds=timeout_seconds)
        self._archives = ArchiveServiceStub(self._connection.channel)
        self._models = ModelServiceStub(self._connection.channel)
        self._retrieval = RetrievalServiceStub(self._connection.channel)
        self._server = ServerServiceStub(self._connection.channel)

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
        response = self._connection.call(self._server.GetServerInfo, servers.GetServerInfoRequest())
        return parsing.server_info(response.info)

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait until the service answers.

        Raises:
            BackendUnavailableError: If it does not answer in time.
        """
        address, deadline = self._connection.address, time.monotonic() + timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                request = servers.GetServerInfoRequest()
                call, get = self._connection.call, self._server.GetServerInfo
                call(get, request, timeout_seconds=left, wait_for_ready=True)
            except (BackendUnavailableError, TimeoutError):
                time.sleep(min(READY_PAUSE_SECONDS, left))
            else:
                return
        message = f"Nothing answers at {address} after {timeout_seconds:g} s; start it with `xmirad up`"
        raise BackendUnavailableError(message, metadata={"backend": "service", "address": address})

    def list_models(self) -> list[ModelInfo]:
        """Return the models by short name, without their cards."""
        response = self._connection.call(self._models.ListModels, models.ListModelsRequest())
        return [parsing.model_info(model) for model in response.models]

    def get_model(self, name: str) -> ModelInfo:
        """Return a model with its card."""
        request = models.GetModelRequest(name=requests.model_name(name))
        return parsing.model_info(self._connection.call(self._models.GetModel, request).model)

    def create_archive(
        self, archive: str, *, model: str = "", originals: OriginalsPolicy = OriginalsPolicy.COPY
    ) -> ArchiveInfo:
        """Create an archive, bound to a model for good; repeating the call returns the archive that is there."""
        request = requests.create_archive_request(archive, model=model, originals=originals)
        return parsing.archive_info(self._connection.call(self._archives.CreateArchive, request).archive)

    def get_archive(self, archive: str) -> ArchiveInfo:
        """Return an archive."""
        request = archives.GetArchiveRequest(name=archive_name(archive))
        return parsing.archive_info(self._connection.call(self._archives.GetArchive, request).archive)

    def list_archives(self) -> Iterator[ArchiveInfo]:
        """Yield the archives by name, fetching them page by page."""

        def page(token: str) -> tuple[Iterable[ArchiveInfo], str]:
            request = archives.ListArchivesRequest(page_size=MAX_PAGE_SIZE, page_token=token)
            response = self._connection.call(self._archives.ListArchives, request)
            return map(parsing.archive_info, response.archives), response.next_page_token

        return entries_of_pages(page)

    def delete_archive(self, archive: str, *, force: bool = False) -> None:
        """Delete an archive; with `force` even though it holds items."""
        request = archives.DeleteArchiveRequest(name=archive_name(archive), force=force)
        self._connection.call(self._archives.DeleteArchive, request)

    def archive_stats(self, archive: str) -> ArchiveStats:
        """Return how many items of an archive have which values."""
        request = archives.GetArchiveStatsRequest(name=archive_name(archive))
        return parsing.archive_stats(self._connection.call(self._archives.GetArchiveStats, request))

    def upload(self, archive: str, uploads: Iterable[Upload], *, in_flight: int = 32) -> Iterator[UploadOutcome]:
        """Store many images over one stream and yield what became of each, in any order.

        The uploads are read lazily, by another thread, and only while fewer than `in_flight` are unanswered. A failing
        upload is an outcome with an error and does not end the stream. Every upload that was read gets one outcome: if
        the stream breaks, the unanswered ones are yielded as failed and the reason is raised after them; sending them
        again is safe. What the iterable itself raises is raised after the outcomes of all that was read. Closing the
        iterator cancels the stream.
        """
        kind: StreamKind[Upload, archives.UploadItemsRequest, archives.UploadItemsResponse, UploadOutcome] = StreamKind(
            method=self._archives.UploadItems,
            build=lambda upload: requests.upload_items_request(archive, upload),
            parse=parsing.upload_outcome,
            failed=lambda correlation_id, error: UploadOutcome(correlation_id, None, error),
        )
        return self._exchange(kind, uploads, in_flight)

    def create_item(self, archive: str, upload: Upload) -> UploadReceipt:
        """Store one image."""
        request = requests.create_item_request(archive, upload)
        return parsing.receipt(self._connection.call(self._archives.CreateItem, request).receipt)

    def get_item(self, name: str, *, view: ItemView = ItemView.BASIC) -> Item:
        """Return an item."""
        request = archives.GetItemRequest(name=name, view=ITEM_VIEW.to_proto(view))
        return parsing.item(self._connection.call(self._archives.GetItem, request).item)

    def list_items(
        self, archive: str, *, filter: ItemFilter = NO_FILTER, view: ItemView = ItemView.BASIC
    ) -> Iterator[Item]:
        """Yield an archive's items in the order of their ids, fetching them page by page."""

        def page(token: str) -> tuple[Iterable[Item], str]:
            request = requests.list_items_request(archive, item_filter=filter, view=view, page_token=token)
            response = self._connection.call(self._archives.ListItems, request)
            return map(parsing.item, response.items), response.next_page_token

        return entries_of_pages(page)

    def batch_get_items(self, archive: str, names: Sequence[str], *, view: ItemView = ItemView.BASIC) -> list[Item]:
        """Return the items of an archive that exist, in the order asked for."""
        found: list[Item] = []
        for start in range(0, len(names), MAX_NAMES):
            some = names[start : start + MAX_NAMES]
            request = archives.BatchGetItemsRequest(
                archive=archive_name(archive), names=some, view=ITEM_VIEW.to_proto(view)
            )
            found += map(parsing.item, self._connection.call(self._archives.BatchGetItems, request).items)
        return found

    def delete_item(self, name: str) -> None:
        """Delete an item and everything derived from its image."""
        self._connection.call(self._archives.DeleteItem, archives.DeleteItemRequest(name=name))

    def purge_items(
        self,
        archive: str,
        *,
        filter: ItemFilter | None = None,
        patient: Patient | None = None,
        force: bool = False,
    ) -> PurgeCounts:
        """Count, and with `force` delete, the items of a filter or of a patient."""
        request = requests.purge_items_request(archive, item_filter=filter, patient=patient, force=force)
        response = self._connection.call(self._archives.PurgeItems, request)
        return PurgeCounts(response.selected_items, response.deleted_items)

    def item_image(self, name: str) -> bytes:
        """Return what the model saw of an item, as PNG."""
        request = archives.GetItemImageRequest(name=name)
        return self._connection.call(self._archives.GetItemImage, request).png

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
        )
        response = self._connection.call(self._retrieval.Search, requests.search_request(archive, search))
        return search_parsing.search_response(response, archive=archive)

    def stream_search(
        self, archive: str, searches: Iterable[StreamedSearch], *, in_flight: int = 16
    ) -> Iterator[StreamedOutcome]:
        """Answer many searches over one stream and yield what became of each, in any order; see `upload`."""
        kind: StreamKind[
            StreamedSearch, retrieval.StreamSearchRequest, retrieval.StreamSearchResponse, StreamedOutcome
        ] = StreamKind(
            method=self._retrieval.StreamSearch,
            build=lambda search: requests.stream_search_request(archive, search),
            parse=lambda answer: search_parsing.streamed_outcome(answer, archive=archive),
            failed=lambda correlation_id, error: StreamedOutcome(correlation_id, None, error),
        )
        return self._exchange(kind, searches, in_flight)

    def embed_image(self, image: EncodedImage, *, model: str = "") -> Embedded:
        """Return the embedding of an image."""
        request = requests.embed_image_request(image, model=model)
        return search_parsing.embedded(self._connection.call(self._retrieval.EmbedImage, request))

    def _exchange(
        self, kind: StreamKind[Asked, Sent, Received, Outcome], asked: Iterable[Asked], in_flight: int
    ) -> Iterator[Outcome]:
        if in_flight < 1:
            raise InvalidRequestError("in_flight must be at least 1", field="in_flight", metadata={"minimum": "1"})
        exchange = Exchange(
            self._connection, kind, asked, in_flight=in_flight, max_message_bytes=DEFAULT_MAX_MESSAGE_BYTES
        )
        return exchange.outcomes()
