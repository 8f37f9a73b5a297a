"""The calls of the client that are about imports."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from xmirad.api.enums import IMPORT_STATE
from xmirad.api.errors import from_proto_error
from xmirad.api.limits import MAX_PAGE_SIZE
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.client import parsing
from xmirad.client.calls import Call, Page, call
from xmirad.client.import_types import Import, LocalDataset
from xmirad.ids import archive_name


def create_import(
    archive: str,
    source: str | LocalDataset,
    *,
    split: str,
    include: Iterable[str],
    exclude: Iterable[str],
    restore_deleted: bool,
    resend: bool,
) -> Call[Import]:
    """Ask for a folder to be imported."""
    request = pb.CreateImportRequest(
        archive=archive_name(archive),
        split=split,
        include=include,
        exclude=exclude,
        restore_deleted=restore_deleted,
        resend=resend,
        request_id=uuid4().hex,
    )
    if isinstance(source, str):
        request.folder = source
    else:
        request.dataset.CopyFrom(
            pb.LocalDataset(
                path=source.path,
                layout=source.layout,
                full_list=source.full_list,
                images_path=source.images,
                skip_missing=source.skip_missing,
                frames=source.frames,
            )
        )
    return call(lambda stubs: stubs.archives.CreateImport, request, imported)


def get_import(name: str) -> Call[Import]:
    """Ask for an import."""
    return call(lambda stubs: stubs.archives.GetImport, pb.GetImportRequest(name=name), imported)


def list_imports(archive: str, token: str) -> Call[Page[Import]]:
    """Ask for a page of imports."""
    name = archive_name(archive) if archive else ""
    return call(
        lambda stubs: stubs.archives.ListImports,
        pb.ListImportsRequest(archive=name, page_size=MAX_PAGE_SIZE, page_token=token),
        lambda answer: Page(map(_import, answer.imports), answer.next_page_token),
    )


def cancel_import(name: str) -> Call[Import]:
    """Ask for an import to be stopped."""
    return call(lambda stubs: stubs.archives.CancelImport, pb.CancelImportRequest(name=name), imported)


def imported(answer: Any) -> Import:  # noqa: ANN401 - any of the four answers with one import
    """Read the import of an answer, whose field has the name of a keyword of Python."""
    return _import(getattr(answer, "import"))


def _import(message: pb.Import) -> Import:
    return Import(
        name=message.name,
        archive=message.archive.removeprefix("archives/"),
        folder=message.folder,
        split=message.split,
        include=tuple(message.include),
        exclude=tuple(message.exclude),
        state=IMPORT_STATE.read(message.state),
        total=message.total_images,
        created=message.created_items,
        updated=message.updated_items,
        unchanged=message.unchanged_items,
        failed=message.failed_images,
        failures={failure.path: from_proto_error(failure.error) for failure in message.failures},
        warnings=tuple(message.warnings),
        error=from_proto_error(message.error) if message.HasField("error") else None,
        create_time=parsing.time(message.create_time),
        finish_time=parsing.time(message.finish_time) if message.HasField("finish_time") else None,
    )
