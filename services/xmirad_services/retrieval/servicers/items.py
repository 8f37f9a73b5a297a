"""The methods of `ArchiveService` that read and delete items."""

from collections.abc import Sequence
from uuid import UUID

from xmirad.api import checks
from xmirad.api.conversion import filter_from_proto, geometry_to_proto, item_from_proto, patient_from_proto
from xmirad.api.enums import ITEM_VIEW
from xmirad.api.limits import MAX_NAMES, MAX_WARMED_ITEMS
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.api.v1 import archive_service_pb2_grpc as pb_grpc
from xmirad.api.v1 import resources_pb2
from xmirad.api.vocabulary import ItemView
from xmirad.archive.conditions import All, AnyOf, Condition, PayloadField
from xmirad.archive.filters import conditions_of, of_site, unknown_values
from xmirad.archive.port import StoredItem
from xmirad.errors import InvalidRequestError, ItemNotFoundError
from xmirad.ids import parse_archive_name, parse_item_name
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.types import ItemFilter
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.interceptors import Context
from xmirad_services.retrieval.item_details import ItemDetails
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives
from xmirad_services.retrieval.purging import Purger
from xmirad_services.retrieval.replays import Replays, replayable
from xmirad_services.retrieval.servicers.archive_messages import item_message
from xmirad_services.retrieval.warming import Warming


class ItemMethods(pb_grpc.ArchiveServiceServicer):
    """Reads and deletes items."""

    _replays: Replays

    def __init__(self, archives: OpenArchives, purger: Purger, tools: Tools, *, explainer: Explainer) -> None:
        """Serve the items of all sites, each to its own."""
        self._warming = Warming(explainer.parts, tools)
        self._archives = archives
        self._purger = purger
        self._tools = tools
        self._details = ItemDetails(tools)

    async def GetItem(self, request: pb.GetItemRequest, context: Context) -> pb.GetItemResponse:
        """Return an item."""
        view = ITEM_VIEW.from_proto(request.view, field="view")
        archive, item = parse_item_name(request.name, field="name")
        found = await self._get(await self._opened(archive), [item], view)
        if not found:
            message = f"there is no item {request.name}"
            raise ItemNotFoundError(message, field="name", metadata={"item": request.name})
        return pb.GetItemResponse(item=found[0])

    async def ListItems(self, request: pb.ListItemsRequest, context: Context) -> pb.ListItemsResponse:
        """List an archive's items in the order of their ids."""
        view = ITEM_VIEW.from_proto(request.view, field="view")
        size = checks.page_size(request.page_size)
        opened = await self._named(request.archive, field="archive")
        where = await self._condition(opened, request.filter)
        after = _last_of_page_before(request.page_token)

        def scan() -> list[StoredItem]:
            with_embedding = view is ItemView.EMBEDDING
            return opened.items.scan(after=after, limit=size + 1, where=where, with_embedding=with_embedding)

        found = await self._tools.lanes.store.run(Priority.INTERACTIVE, scan)
        page = found[:size]
        return pb.ListItemsResponse(
            items=await self._messages(opened, page, view),
            next_page_token=page[-1].item if len(found) > size else "",
        )

    async def BatchGetItems(self, request: pb.BatchGetItemsRequest, context: Context) -> pb.BatchGetItemsResponse:
        """Return several items; those that do not exist are left out."""
        view = ITEM_VIEW.from_proto(request.view, field="view")
        checks.at_most(len(request.names), MAX_NAMES, field="names")
        opened = await self._named(request.archive, field="archive")
        archive = opened.record.archive
        items = [item_from_proto(name, archive=archive, field=f"names[{at}]") for at, name in enumerate(request.names)]
        return pb.BatchGetItemsResponse(items=await self._get(opened, items, view))

    @replayable(pb.DeleteItemResponse, deletes=True)
    async def DeleteItem(self, request: pb.DeleteItemRequest, context: Context) -> pb.DeleteItemResponse:
        """Delete an item and everything derived from its image."""
        archive, item = parse_item_name(request.name, field="name")
        await self._purger.delete(await self._opened(archive), item)
        return pb.DeleteItemResponse()

    @replayable(pb.PurgeItemsResponse)
    async def PurgeItems(self, request: pb.PurgeItemsRequest, context: Context) -> pb.PurgeItemsResponse:
        """Count, and if told so delete, the items of a filter or of a patient."""
        opened = await self._named(request.archive, field="archive")
        if request.force:
            await self._purger.finish(opened)
        items = await self._purger.select(opened, await self._selection(opened, request))
        deleted = await self._purger.delete_all(opened, items) if request.force else 0
        return pb.PurgeItemsResponse(selected_items=len(items), deleted_items=deleted)

    async def GetItemImage(self, request: pb.GetItemImageRequest, context: Context) -> pb.GetItemImageResponse:
        """Return a picture of an item: what the model saw."""
        archive, item = parse_item_name(request.name, field="name")
        opened = await self._opened(archive)
        png, record = await self._details.picture(opened.record, item)
        return pb.GetItemImageResponse(png=png, geometry=geometry_to_proto(record.geometry))

    async def WarmArchive(self, request: pb.WarmArchiveRequest, context: Context) -> pb.WarmArchiveResponse:
        """Compute ahead what occlusion maps of items are made of."""
        opened = await self._named(request.archive, field="archive")
        maximum = checks.whole_number(request.max_items, field="max_items", minimum=0, maximum=MAX_WARMED_ITEMS)
        items = await self._purger.select(opened, await self._condition(opened, request.filter))
        items = items[: maximum or None]
        return await self._warming.answer(opened, items, dry_run=request.dry_run, cancel=request.cancel)

    async def _named(self, name: str, *, field: str = "name") -> OpenArchive:
        return await self._opened(parse_archive_name(name, field=field))

    async def _opened(self, archive: str) -> OpenArchive:
        return await self._archives.get(archive, site=current_caller().site)

    async def _condition(self, opened: OpenArchive, message: resources_pb2.ItemFilter) -> Condition:
        wanted = filter_from_proto(message, archive=opened.record.archive)

        def check() -> None:
            unknown_values(opened.items, wanted, site=opened.record.site)

        await self._tools.lanes.store.run(Priority.INTERACTIVE, check)
        return conditions_of(wanted, site=opened.record.site)

    async def _selection(self, opened: OpenArchive, request: pb.PurgeItemsRequest) -> Condition:
        if request.WhichOneof("selection") == "patient":
            patient = self._tools.site_key.patient_key(patient_from_proto(request.patient))
            return All((of_site(opened.record.site), AnyOf(PayloadField.PATIENT, (patient,))))
        if filter_from_proto(request.filter, archive=opened.record.archive) == ItemFilter():
            message = "filter must ask for something; to delete every item, delete the archive"
            raise InvalidRequestError(message, field="filter")
        return await self._condition(opened, request.filter)

    async def _get(self, opened: OpenArchive, items: Sequence[str], view: ItemView) -> list[resources_pb2.Item]:
        def get() -> list[StoredItem]:
            found = opened.items.get(items, with_embedding=view is ItemView.EMBEDDING)
            return [item for item in found if item.payload.site == opened.record.site]

        return await self._messages(opened, await self._tools.lanes.store.run(Priority.INTERACTIVE, get), view)

    async def _messages(
        self, opened: OpenArchive, found: Sequence[StoredItem], view: ItemView
    ) -> list[resources_pb2.Item]:
        archive = opened.record.archive
        if view is ItemView.BASIC:
            return [item_message(archive, item, None) for item in found]
        records = await self._details.records(opened.record, [item.item for item in found])
        return [item_message(archive, item, record) for item, record in zip(found, records, strict=True)]


def _last_of_page_before(token: str) -> str | None:
    """Return the id of the item that a page begins behind, or None for the first page."""
    if not token:
        return None
    try:
        return str(UUID(token))
    except ValueError:
        message = "page_token must be the next_page_token of the page before"
        raise InvalidRequestError(message, field="page_token") from None
