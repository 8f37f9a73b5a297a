"""The methods of `ArchiveService` that are about imports."""

from collections.abc import AsyncIterator
from enum import StrEnum

from xmirad.api import checks
from xmirad.api.conversion import time_to_proto
from xmirad.api.enums import IMPORT_STATE
from xmirad.api.errors import to_proto_error
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.api.v1 import archive_service_pb2_grpc as pb_grpc
from xmirad.datasets.dataset import Layout
from xmirad.datasets.selection import FrameChoice
from xmirad.errors import InvalidRequestError
from xmirad.ids import archive_name, parse_archive_name, parse_import_name
from xmirad.imports.records import ImportRequest, ImportSnapshot
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.imports import Imports
from xmirad_services.retrieval.interceptors import Context
from xmirad_services.retrieval.replays import Replays, replayable

MAX_PATTERNS = 32
MAX_PATH_CHARACTERS = 4_096


class ImportMethods(pb_grpc.ArchiveServiceServicer):
    """Begins, shows and stops imports."""

    _imports: Imports
    _replays: Replays

    @replayable(pb.CreateImportResponse)
    async def CreateImport(self, request: pb.CreateImportRequest, context: Context) -> pb.CreateImportResponse:
        """Begin to store the images of a folder."""
        wanted = _import_request(request, site=current_caller().site)
        snapshot = await self._imports.create(wanted, answer=lambda begun: _begun(begun).SerializeToString())
        return _begun(snapshot)

    async def GetImport(self, request: pb.GetImportRequest, context: Context) -> pb.GetImportResponse:
        """Return an import as it is now."""
        snapshot = await self._imports.snapshot(*parse_import_name(request.name, field="name"))
        return pb.GetImportResponse(**{"import": import_message(snapshot)})

    async def ListImports(self, request: pb.ListImportsRequest, context: Context) -> pb.ListImportsResponse:
        """List imports in the order of their names."""
        size = checks.page_size(request.page_size)
        archive = parse_archive_name(request.archive, field="archive") if request.archive else ""
        after = checks.word(request.page_token, field="page_token")
        found = await self._imports.page(archive, after=after, limit=size + 1)
        page = found[:size]
        return pb.ListImportsResponse(
            imports=map(import_message, page), next_page_token=page[-1].request.name if len(found) > size else ""
        )

    async def WatchImport(
        self, request: pb.WatchImportRequest, context: Context
    ) -> AsyncIterator[pb.WatchImportResponse]:
        """Return an import as it is now, and again after every change."""
        async for snapshot in self._imports.watch(*parse_import_name(request.name, field="name")):
            yield pb.WatchImportResponse(**{"import": import_message(snapshot)})

    async def CancelImport(self, request: pb.CancelImportRequest, context: Context) -> pb.CancelImportResponse:
        """Stop an import."""
        snapshot = await self._imports.cancel(*parse_import_name(request.name, field="name"))
        return pb.CancelImportResponse(**{"import": import_message(snapshot)})


def _begun(snapshot: ImportSnapshot) -> pb.CreateImportResponse:
    return pb.CreateImportResponse(**{"import": import_message(snapshot)})


def _import_request(request: pb.CreateImportRequest, *, site: str) -> ImportRequest:
    dataset = request.dataset
    include, exclude = (
        checks.words(getattr(request, field), field=field, max_count=MAX_PATTERNS) for field in ("include", "exclude")
    )
    if request.HasField("dataset") and (request.folder or not dataset.path):
        message = "dataset.path must be set" if not dataset.path else "folder must not be set where dataset is"
        raise InvalidRequestError(message, field="folder" if dataset.path else "dataset.path")
    return ImportRequest(
        parse_archive_name(request.archive, field="archive"),
        site,
        folder=checks.word(request.folder, field="folder"),
        path=_path(dataset.path, field="dataset.path"),
        layout=_one_of(Layout, dataset.layout, field="dataset.layout"),
        split=checks.word(request.split, field="split"),
        full_list=dataset.full_list,
        include=include,
        exclude=exclude,
        images=_path(dataset.images_path, field="dataset.images_path"),
        skip_missing=dataset.skip_missing,
        frames=_one_of(FrameChoice, dataset.frames, field="dataset.frames") or FrameChoice.ALL,
        restore_deleted=request.restore_deleted,
        resend=request.resend,
    )


def _path(value: str, *, field: str) -> str:
    checks.text(value, field=field, max_characters=MAX_PATH_CHARACTERS)
    if "\0" in value:
        raise InvalidRequestError(f"{field} must not contain a null character", field=field)
    return value


def _one_of(words: type[StrEnum], value: str, *, field: str) -> str:
    allowed = [str(word) for word in words]
    if value and value not in allowed:
        known = ", ".join(allowed)
        message = f"{field} must be one of: {known}"
        raise InvalidRequestError(message, field=field, metadata={"value": value, "allowed": known})
    return value


def import_message(snapshot: ImportSnapshot) -> pb.Import:
    """Return an import."""
    request, plan, outcome = snapshot.request, snapshot.plan, snapshot.outcome
    message = pb.Import(
        name=request.name,
        archive=archive_name(request.archive),
        folder=request.folder,
        split=request.split,
        include=request.include,
        exclude=request.exclude,
        state=IMPORT_STATE.to_proto(snapshot.state),
        total_images=snapshot.total,
        created_items=sum(part.created for part in snapshot.parts),
        updated_items=sum(part.updated for part in snapshot.parts),
        unchanged_items=sum(part.unchanged for part in snapshot.parts),
        failed_images=snapshot.failed,
        failures=[
            pb.ImportFailure(path=failure.path, error=to_proto_error(failure.error)) for failure in snapshot.failures
        ],
        warnings=plan.warnings if plan else (),
        create_time=time_to_proto(request.create_time),
    )
    if outcome is not None:
        message.finish_time.CopyFrom(time_to_proto(outcome.finish_time))
        if outcome.error is not None:
            message.error.CopyFrom(to_proto_error(outcome.error))
    return message
