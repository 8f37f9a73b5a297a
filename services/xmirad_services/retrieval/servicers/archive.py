"""`ArchiveService`: archives, and the uploads that fill them. Reading and deleting items is in `items.py`."""

from collections.abc import AsyncIterator

import structlog

from xmirad.api import checks
from xmirad.api.enums import ORIGINALS_POLICY
from xmirad.api.errors import to_proto_error
from xmirad.api.evidence import calibration_from_proto
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.archive.conditions import PayloadField
from xmirad.archive.filters import RANGE_FIELDS, VALUE_FIELDS, of_site
from xmirad.catalog.records import ArchiveRecord
from xmirad.errors import InvalidRequestError, XmiradError
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.failpoints import FailpointName
from xmirad.ids import parse_archive_name
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.models.artifact import ModelArtifact
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.settings import LimitSettings
from xmirad.types import UntrainedFeatures
from xmirad_services.retrieval.byte_budget import ByteBudget
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.imports import Imports
from xmirad_services.retrieval.interceptors import Context, as_domain_error
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives
from xmirad_services.retrieval.purging import Purger
from xmirad_services.retrieval.replays import Replays, replayable
from xmirad_services.retrieval.servicers.archive_messages import archive_message, incoming_item, receipt_message
from xmirad_services.retrieval.servicers.imports import ImportMethods
from xmirad_services.retrieval.servicers.items import ItemMethods
from xmirad_services.retrieval.streams import answered

UPLOADS_IN_FLIGHT = 16
_log = structlog.get_logger(__name__)


class ArchiveServicer(ImportMethods, ItemMethods):
    """Creates, fills and maintains archives."""

    def __init__(
        self,
        archives: OpenArchives,
        purger: Purger,
        tools: Tools,
        metrics: RetrievalMetrics,
        limits: LimitSettings,
        *,
        budget: ByteBudget,
        explainer: Explainer,
        imports: Imports,
        replays: Replays,
    ) -> None:
        """Serve the archives of all sites, each to its own."""
        super().__init__(archives, purger, tools, explainer=explainer)
        self._replays = replays
        self._imports = imports
        self._metrics = metrics
        self._budget = budget
        self._limits = limits

    @replayable(pb.CreateArchiveResponse)
    async def CreateArchive(self, request: pb.CreateArchiveRequest, context: Context) -> pb.CreateArchiveResponse:
        """Create an archive and bind it to a model for good."""
        archive = parse_archive_name(f"archives/{request.archive_id}", field="archive_id")
        originals = ORIGINALS_POLICY.from_proto(request.originals, field="originals")
        opened = await self._archives.create(
            archive, site=current_caller().site, model=checks.model(request.model), originals=originals
        )
        return pb.CreateArchiveResponse(archive=await self._described(opened.record))

    async def GetArchive(self, request: pb.GetArchiveRequest, context: Context) -> pb.GetArchiveResponse:
        """Return an archive."""
        opened = await self._named(request.name)
        return pb.GetArchiveResponse(archive=await self._described(opened.record))

    async def ListArchives(self, request: pb.ListArchivesRequest, context: Context) -> pb.ListArchivesResponse:
        """List the archives by name."""
        size = checks.page_size(request.page_size)
        all_records = await self._archives.records(site=current_caller().site)
        records = [record for record in all_records if record.archive > request.page_token]
        page, more = records[:size], len(records) > size
        return pb.ListArchivesResponse(
            archives=await self._tools.lanes.blobs.run(Priority.INTERACTIVE, lambda: list(map(self._listed, page))),
            next_page_token=page[-1].archive if more else "",
        )

    async def RebuildArchive(self, request: pb.RebuildArchiveRequest, context: Context) -> pb.RebuildArchiveResponse:
        """Ask for an archive's index to be made again."""
        opened = await self._named(request.name)
        await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._archives.indexes.request, opened.record)
        return pb.RebuildArchiveResponse(archive=await self._described(opened.record))

    @replayable(pb.DeleteArchiveResponse, deletes=True)
    async def DeleteArchive(self, request: pb.DeleteArchiveRequest, context: Context) -> pb.DeleteArchiveResponse:
        """Delete an archive with all its items."""
        opened = await self._named(request.name)

        async def empty(opened: OpenArchive) -> None:
            await self._imports.require_idle(opened.record.creation)
            await self._purger.forget_explanations(opened)

        await self._archives.delete(opened, force=request.force, empty=empty)
        self._purger.wake()
        return pb.DeleteArchiveResponse()

    async def SetEvidenceCalibration(
        self, request: pb.SetEvidenceCalibrationRequest, context: Context
    ) -> pb.SetEvidenceCalibrationResponse:
        """Set what turns the nearest items of an archive into evidence, or take it away."""
        opened = await self._named(request.archive, field="archive")
        calibration = calibration_from_proto(request.calibration) if request.HasField("calibration") else None
        if calibration is not None:
            opened.require_model(calibration.model_digest, field="calibration.model")
            _require_untrained_features(calibration, opened.artifact)
        async with self._archives.holding(opened.record.site, opened.record.archive):  # not while it is being deleted
            store = self._tools.catalog.put_calibration
            await self._tools.lanes.blobs.run(Priority.INTERACTIVE, store, opened.record, calibration)
        return pb.SetEvidenceCalibrationResponse(archive=await self._described(opened.record))

    async def GetArchiveStats(self, request: pb.GetArchiveStatsRequest, context: Context) -> pb.GetArchiveStatsResponse:
        """Count an archive's items by what is known of them."""
        opened = await self._named(request.name)
        fields = {**VALUE_FIELDS, **RANGE_FIELDS}
        counts = await self._facets(opened, list(fields.values()))
        patients = await self._facets(opened, [PayloadField.PATIENT])
        return pb.GetArchiveStatsResponse(
            archive=await self._described(opened.record),
            patient_count=len(patients[0]),
            fields=[_field_counts(name, found) for name, found in zip(fields, counts, strict=True) if found],
        )

    async def UploadItems(
        self, request_iterator: AsyncIterator[pb.UploadItemsRequest], context: Context
    ) -> AsyncIterator[pb.UploadItemsResponse]:
        """Store many images over one call."""
        named = ""

        async def upload(request: pb.UploadItemsRequest) -> pb.UploadItemsResponse:
            nonlocal named
            named = request.archive or named
            return await self._uploaded(request, named)

        async for response in answered(
            request_iterator,
            upload,
            limit=UPLOADS_IN_FLIGHT,
            size_of=pb.UploadItemsRequest.ByteSize,
            budget=self._budget,
        ):
            yield response
            if response.HasField("receipt"):
                self._tools.failpoint.reach(FailpointName.AFTER_ACKNOWLEDGMENT)

    @replayable(pb.CreateItemResponse)
    async def CreateItem(self, request: pb.CreateItemRequest, context: Context) -> pb.CreateItemResponse:
        """Store one image."""
        return pb.CreateItemResponse(receipt=await self._store(request.archive, request.item))

    async def _uploaded(self, request: pb.UploadItemsRequest, archive: str) -> pb.UploadItemsResponse:
        correlation_id = request.correlation_id
        try:
            checks.correlation_id(correlation_id)
            receipt = await self._store(archive, request.item)
        except Exception as error:  # noqa: BLE001 - the answer to this one upload
            failure = to_proto_error(as_domain_error(error))
            return pb.UploadItemsResponse(correlation_id=correlation_id, error=failure)
        return pb.UploadItemsResponse(correlation_id=correlation_id, receipt=receipt)

    async def _store(self, archive: str, item: pb.ItemUpload) -> pb.UploadReceipt:
        opened = await self._named(archive, field="archive")
        incoming = incoming_item(item, max_image_bytes=self._limits.max_image_bytes)
        try:
            with self._metrics.uploading():
                stored = await opened.require_runner().store(incoming)
        except XmiradError as error:
            self._metrics.item_indexed(error.reason)
            if error.field:  # the runner knows the image, not where the request holds it
                error.field = f"item.{error.field}"
            raise
        self._metrics.item_indexed(stored.state)
        return receipt_message(opened.record.archive, stored)

    async def _described(self, record: ArchiveRecord) -> pb.Archive:
        def describe() -> pb.Archive:
            return self._listed(record, self._tools.catalog.calibration(record))

        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, describe)

    def _listed(self, record: ArchiveRecord, calibration: EvidenceCalibration | None = None) -> pb.Archive:
        count, progress = self._archives.catalog.count_items(record), self._archives.indexes.progress(record)
        return archive_message(record, count, progress, calibration)

    async def _facets(self, opened: OpenArchive, fields: list[PayloadField]) -> list[dict[str, int]]:
        def facets() -> list[dict[str, int]]:
            return [opened.items.facet(field, where=of_site(opened.record.site)) for field in fields]

        return await self._tools.lanes.store.run(Priority.INTERACTIVE, facets)


def _require_untrained_features(calibration: EvidenceCalibration, artifact: ModelArtifact | None) -> None:
    """Refuse distances in features that labels have shaped."""
    if artifact is None or calibration.distance_threshold is None:
        return
    untrained = artifact.untrained_features
    if untrained is UntrainedFeatures.NONE:
        message = "calibration.distance_threshold must not be set: the model's trunk was trained for labels"
        raise InvalidRequestError(message, field="calibration.distance_threshold")
    if (untrained is UntrainedFeatures.POOLED) != (calibration.reference is not None):
        must = (
            "must be set, with the features before the model's head" if calibration.reference is None else "must not be"
        )
        message = f"calibration.reference {must}: the model's untrained features are {untrained.name}"
        raise InvalidRequestError(message, field="calibration.reference")


def _field_counts(name: str, counts: dict[str, int]) -> pb.FieldCounts:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return pb.FieldCounts(field=name, values=[pb.ValueCount(value=value, count=count) for value, count in ordered])
