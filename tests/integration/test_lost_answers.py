"""Calls whose first answer is lost are repeated by the client's channel, and come to what they came to before."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from support.live_service import LiveService, live_service
from support.lossy_proxy import LossyProxy, lossy_proxy
from support.pictures import png
from support.raw_service import RawService, refusal
from support.sample_items import SAMPLES, store_samples
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.api.v1 import explanation_service_pb2 as explanations_pb2
from xmirad.api.v1 import resources_pb2
from xmirad.client import ActivationMethod, Client
from xmirad.client.aio import AioClient
from xmirad.errors import ArchiveNotFoundError, ExplanationNotFoundError, ItemNotFoundError
from xmirad.types import ItemFilter

ARCHIVE = "samples"


@dataclass(frozen=True, slots=True)
class World:
    service: LiveService
    proxy: LossyProxy
    client: Client
    items: list[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        live_service(tmp_path_factory.mktemp("lost") / "home") as service,
        service.start() as direct,
        lossy_proxy(service.address) as proxy,
        Client(proxy.address) as client,
    ):
        items = list(store_samples(direct, ARCHIVE).values())
        yield World(service, proxy, client, items)


@pytest.fixture
def raw(world: World) -> Iterator[RawService]:
    with RawService(world.service.address) as opened:
        yield opened


def test_what_was_deleted_is_not_reported_as_missing(world: World) -> None:
    client, proxy = world.client, world.proxy
    explanation = client.create_explanation(world.items[0], world.items[1], method=ActivationMethod()).name
    client.create_archive("short-lived")

    for method in ("DeleteExplanation", "DeleteItem", "DeleteArchive"):
        proxy.lose(method)
    client.delete_explanation(explanation)
    client.delete_item(world.items[-1])
    client.delete_archive("short-lived")

    assert proxy.lost[-3:] == ["DeleteExplanation", "DeleteItem", "DeleteArchive"]
    with pytest.raises(ExplanationNotFoundError):
        client.delete_explanation(explanation)
    with pytest.raises(ItemNotFoundError):
        client.delete_item(world.items[-1])
    with pytest.raises(ArchiveNotFoundError):
        client.delete_archive("short-lived")


async def test_the_asynchronous_client_repeats_deletions_as_well(world: World) -> None:
    world.client.create_archive("short-lived")
    world.proxy.lose("DeleteArchive")
    async with AioClient(world.proxy.address) as client:
        await client.delete_archive("short-lived")
    assert world.proxy.lost[-1] == "DeleteArchive"


def test_a_purge_counts_what_it_deleted_when_its_answer_was_lost(world: World) -> None:
    with Client(world.service.address) as direct:  # the proxy forwards no streams
        store_samples(direct, "purged")
    some = ItemFilter(datasets=("set-1",))
    world.proxy.lose("PurgeItems")
    counts = world.client.purge_items("purged", filter=some, force=True)
    assert world.proxy.lost[-1] == "PurgeItems"
    assert (counts.selected_items, counts.deleted_items) == (SAMPLES // 2, SAMPLES // 2)


def test_an_id_is_of_one_request_of_a_method(world: World, raw: RawService) -> None:
    chosen = str(uuid4())
    first = raw.archives.CreateArchive(pb.CreateArchiveRequest(archive_id="first", request_id=chosen))
    replay = raw.archives.CreateArchive(pb.CreateArchiveRequest(archive_id="first", request_id=chosen))
    assert replay == first
    other = pb.CreateArchiveRequest(archive_id="second", request_id=chosen)
    error = refusal(raw.archives.CreateArchive, other).domain_error
    assert (error.reason, error.field) == ("FIELD_INVALID", "request_id")
    raw.archives.DeleteArchive(pb.DeleteArchiveRequest(name="archives/first", request_id=chosen))
    for unusable in ("x" * 65, "line\nbreak"):
        request = pb.DeleteArchiveRequest(name="archives/first", request_id=unusable)
        assert refusal(raw.archives.DeleteArchive, request).domain_error.field == "request_id"


def test_a_replay_of_an_upload_has_the_first_receipt(world: World, raw: RawService) -> None:
    world.client.create_archive("uploads")
    item = pb.ItemUpload(image=resources_pb2.Image(data=png(1).data), external_id="one")
    request = pb.CreateItemRequest(archive="archives/uploads", item=item, request_id=str(uuid4()))
    first = raw.archives.CreateItem(request)
    assert first.receipt.state == pb.UPLOAD_STATE_CREATED
    assert raw.archives.CreateItem(request) == first
    request.item.external_id = "another"
    assert refusal(raw.archives.CreateItem, request).domain_error.field == "request_id"
    request.request_id = ""
    request.item.external_id = "one"
    assert raw.archives.CreateItem(request).receipt.state == pb.UPLOAD_STATE_UNCHANGED


def test_a_replay_names_the_explanation_that_was_asked_for(world: World, raw: RawService) -> None:
    request = explanations_pb2.CreateExplanationRequest(
        query=explanations_pb2.ExplanationQuery(item=world.items[0]),
        item=world.items[1],
        options=explanations_pb2.ExplanationOptions(activation=explanations_pb2.ActivationMethod()),
        request_id=str(uuid4()),
    )
    first = raw.explanations.CreateExplanation(request).explanation
    again = raw.explanations.CreateExplanation(request).explanation
    assert (again.name, again.maps) == (first.name, first.maps)
    request.item = world.items[2]
    assert refusal(raw.explanations.CreateExplanation, request).domain_error.field == "request_id"
    cancel = explanations_pb2.CancelExplanationRequest(name=first.name, request_id=request.request_id)
    assert raw.explanations.CancelExplanation(cancel) == raw.explanations.CancelExplanation(cancel)


def test_an_archive_that_was_created_again_is_not_deleted_by_a_replay(world: World, raw: RawService) -> None:
    request = pb.DeleteArchiveRequest(name="archives/twice", request_id=str(uuid4()))
    raw.archives.CreateArchive(pb.CreateArchiveRequest(archive_id="twice"))
    raw.archives.DeleteArchive(request)
    raw.archives.CreateArchive(pb.CreateArchiveRequest(archive_id="twice"))
    raw.archives.DeleteArchive(request)
    assert world.client.get_archive("twice").item_count == 0


def test_a_request_that_was_refused_may_be_sent_again(world: World, raw: RawService) -> None:
    request = pb.DeleteArchiveRequest(name="archives/later", request_id=str(uuid4()))
    assert refusal(raw.archives.DeleteArchive, request).domain_error.reason == "ARCHIVE_NOT_FOUND"
    assert refusal(raw.archives.DeleteArchive, request).domain_error.reason == "ARCHIVE_NOT_FOUND"
    world.client.create_archive("later")
    raw.archives.DeleteArchive(request)
    with pytest.raises(ArchiveNotFoundError):
        world.client.get_archive("later")
