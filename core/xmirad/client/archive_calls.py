"""The calls of the client that are about archives, items, models and the service itself."""

from collections.abc import Sequence
from uuid import uuid4

from xmirad.api.enums import ITEM_VIEW
from xmirad.api.limits import MAX_NAMES, MAX_PAGE_SIZE
from xmirad.api.v1 import archive_service_pb2 as archives
from xmirad.api.v1 import model_service_pb2 as models
from xmirad.api.v1 import server_service_pb2 as servers
from xmirad.api.vocabulary import ItemView
from xmirad.client import explanation_parsing, explanation_requests, parsing, requests
from xmirad.client.calls import Call, Page, call, nothing
from xmirad.client.explanation_types import WarmFigures
from xmirad.client.types import (
    ArchiveInfo,
    ArchiveStats,
    Item,
    ModelInfo,
    PurgeCounts,
    ServerInfo,
    Upload,
    UploadReceipt,
)
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.ids import archive_name
from xmirad.types import ItemFilter, OriginalsPolicy, Patient


def server_info() -> Call[ServerInfo]:
    """Ask what the service is."""
    request = servers.GetServerInfoRequest()
    return call(lambda stubs: stubs.server.GetServerInfo, request, lambda answer: parsing.server_info(answer.info))


def list_models() -> Call[list[ModelInfo]]:
    """Ask for the models."""
    return call(
        lambda stubs: stubs.models.ListModels,
        models.ListModelsRequest(),
        lambda answer: [parsing.model_info(model) for model in answer.models],
    )


def get_model(name: str) -> Call[ModelInfo]:
    """Ask for a model."""
    request = models.GetModelRequest(name=requests.model_name(name))
    return call(lambda stubs: stubs.models.GetModel, request, lambda answer: parsing.model_info(answer.model))


def create_archive(archive: str, *, model: str, originals: OriginalsPolicy) -> Call[ArchiveInfo]:
    """Ask for an archive to be created."""
    request = requests.create_archive_request(archive, model=model, originals=originals)
    return call(
        lambda stubs: stubs.archives.CreateArchive, request, lambda answer: parsing.archive_info(answer.archive)
    )


def get_archive(archive: str) -> Call[ArchiveInfo]:
    """Ask for an archive."""
    request = archives.GetArchiveRequest(name=archive_name(archive))
    return call(lambda stubs: stubs.archives.GetArchive, request, lambda answer: parsing.archive_info(answer.archive))


def list_archives(token: str) -> Call[Page[ArchiveInfo]]:
    """Ask for a page of the archives."""
    return call(
        lambda stubs: stubs.archives.ListArchives,
        archives.ListArchivesRequest(page_size=MAX_PAGE_SIZE, page_token=token),
        lambda answer: Page(map(parsing.archive_info, answer.archives), answer.next_page_token),
    )


def rebuild_archive(archive: str) -> Call[ArchiveInfo]:
    """Ask for an archive's index to be made again."""
    request = archives.RebuildArchiveRequest(name=archive_name(archive))
    return call(
        lambda stubs: stubs.archives.RebuildArchive, request, lambda answer: parsing.archive_info(answer.archive)
    )


def delete_archive(archive: str, *, force: bool) -> Call[None]:
    """Ask for an archive to be deleted."""
    request = archives.DeleteArchiveRequest(name=archive_name(archive), force=force, request_id=uuid4().hex)
    return call(lambda stubs: stubs.archives.DeleteArchive, request, nothing)


def archive_stats(archive: str) -> Call[ArchiveStats]:
    """Ask for an archive in numbers."""
    request = archives.GetArchiveStatsRequest(name=archive_name(archive))
    return call(lambda stubs: stubs.archives.GetArchiveStats, request, parsing.archive_stats)


def set_evidence_calibration(archive: str, calibration: EvidenceCalibration | None) -> Call[ArchiveInfo]:
    """Ask for what turns an archive's nearest items into evidence to be set, or taken away."""
    request = requests.set_calibration_request(archive, calibration)
    return call(
        lambda stubs: stubs.archives.SetEvidenceCalibration,
        request,
        lambda answer: parsing.archive_info(answer.archive),
    )


def create_item(archive: str, upload: Upload) -> Call[UploadReceipt]:
    """Ask for an image to be stored."""
    request = requests.create_item_request(archive, upload)
    return call(lambda stubs: stubs.archives.CreateItem, request, lambda answer: parsing.receipt(answer.receipt))


def get_item(name: str, *, view: ItemView) -> Call[Item]:
    """Ask for an item."""
    request = archives.GetItemRequest(name=name, view=ITEM_VIEW.to_proto(view))
    return call(lambda stubs: stubs.archives.GetItem, request, lambda answer: parsing.item(answer.item))


def list_items(archive: str, token: str, *, item_filter: ItemFilter, view: ItemView) -> Call[Page[Item]]:
    """Ask for a page of an archive's items."""
    return call(
        lambda stubs: stubs.archives.ListItems,
        requests.list_items_request(archive, item_filter=item_filter, view=view, page_token=token),
        lambda answer: Page(map(parsing.item, answer.items), answer.next_page_token),
    )


def batch_get_items(archive: str, names: Sequence[str], *, view: ItemView) -> list[Call[list[Item]]]:
    """Ask for items, in as many calls as the contract's limit takes."""
    number = ITEM_VIEW.to_proto(view)
    return [
        call(
            lambda stubs: stubs.archives.BatchGetItems,
            archives.BatchGetItemsRequest(
                archive=archive_name(archive), names=names[start : start + MAX_NAMES], view=number
            ),
            lambda answer: [parsing.item(item) for item in answer.items],
        )
        for start in range(0, len(names), MAX_NAMES)
    ]


def delete_item(name: str) -> Call[None]:
    """Ask for an item to be deleted."""
    request = archives.DeleteItemRequest(name=name, request_id=uuid4().hex)
    return call(lambda stubs: stubs.archives.DeleteItem, request, nothing)


def purge_items(
    archive: str, *, item_filter: ItemFilter | None, patient: Patient | None, force: bool
) -> Call[PurgeCounts]:
    """Ask for items to be counted or deleted."""
    return call(
        lambda stubs: stubs.archives.PurgeItems,
        requests.purge_items_request(archive, item_filter=item_filter, patient=patient, force=force),
        lambda answer: PurgeCounts(answer.selected_items, answer.deleted_items),
    )


def item_image(name: str) -> Call[bytes]:
    """Ask for the picture of an item."""
    request = archives.GetItemImageRequest(name=name)
    return call(lambda stubs: stubs.archives.GetItemImage, request, lambda answer: answer.png)


def warm(
    archive: str, *, item_filter: ItemFilter, max_items: int, dry_run: bool = False, cancel: bool = False
) -> Call[WarmFigures]:
    """Ask for masked embeddings to be computed ahead, or no more, or what that takes."""
    request = explanation_requests.warm_request(
        archive, item_filter=item_filter, max_items=max_items, dry_run=dry_run, cancel=cancel
    )
    return call(lambda stubs: stubs.archives.WarmArchive, request, explanation_parsing.warm_figures)
