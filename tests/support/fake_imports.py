"""The answers to the methods about imports: one import an archive, a step further with every message watched."""

from collections.abc import Iterator

from support.fake_archives import FakeArchives
from xmirad.api import checks
from xmirad.api.conversion import time_to_proto
from xmirad.api.errors import to_proto_error
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.errors import ConcurrentImportError, ImportNotFoundError, InvalidImageError
from xmirad.ids import parse_archive_name

CREATED = 1_700_000_000.5
IMAGES = 4
UNFINISHED = (pb.IMPORT_STATE_QUEUED, pb.IMPORT_STATE_RUNNING)


def CreateImport(archives: FakeArchives, request: pb.CreateImportRequest, call: str) -> pb.CreateImportResponse:
    archives.get(parse_archive_name(request.archive, field="archive"))
    name = f"imports/{request.archive.removeprefix('archives/')}-000001"
    if name in archives.imports and archives.imports[name].state in UNFINISHED:
        raise ConcurrentImportError("another import into the archive is not finished", metadata={"import": name})
    archives.imports[name] = pb.Import(
        name=name,
        archive=request.archive,
        folder=request.folder,
        split=request.split,
        include=request.include,
        exclude=request.exclude,
        state=pb.IMPORT_STATE_QUEUED,
        create_time=time_to_proto(CREATED),
    )
    return pb.CreateImportResponse(**{"import": archives.imports[name]})


def GetImport(archives: FakeArchives, request: pb.GetImportRequest, call: str) -> pb.GetImportResponse:
    return pb.GetImportResponse(**{"import": _named(archives, request.name)})


def ListImports(archives: FakeArchives, request: pb.ListImportsRequest, call: str) -> pb.ListImportsResponse:
    """Return one import a page, fewer than asked for, as a service may."""
    checks.page_size(request.page_size)
    names = sorted(n for n, each in archives.imports.items() if request.archive in ("", each.archive))
    rest = [name for name in names if name > request.page_token]
    token = rest[0] if len(rest) > 1 else ""
    return pb.ListImportsResponse(imports=[archives.imports[name] for name in rest[:1]], next_page_token=token)


def CancelImport(archives: FakeArchives, request: pb.CancelImportRequest, call: str) -> pb.CancelImportResponse:
    message = _named(archives, request.name)
    if message.state in UNFINISHED:
        message.state = pb.IMPORT_STATE_CANCELLED
        message.finish_time.CopyFrom(time_to_proto(CREATED + 1))
    return pb.CancelImportResponse(**{"import": message})


def watched(archives: FakeArchives, request: pb.WatchImportRequest) -> Iterator[pb.WatchImportResponse]:
    """Store an image with every message; the last one fails."""
    message = _named(archives, request.name)
    yield pb.WatchImportResponse(**{"import": message})
    while message.state in UNFINISHED:
        message.state, message.total_images = pb.IMPORT_STATE_RUNNING, IMAGES
        if message.created_items < IMAGES - 1:
            message.created_items += 1
        else:
            error = to_proto_error(InvalidImageError("the image cannot be decoded", field="image"))
            message.failed_images = 1
            message.failures.append(pb.ImportFailure(path="broken.png", error=error))
            message.state = pb.IMPORT_STATE_SUCCEEDED
            message.finish_time.CopyFrom(time_to_proto(CREATED + 2))
        yield pb.WatchImportResponse(**{"import": message})


def _named(archives: FakeArchives, name: str) -> pb.Import:
    if name not in archives.imports:
        raise ImportNotFoundError("there is no such import", metadata={"import": name})
    return archives.imports[name]
