"""Imports through the SDK against a service over a real connection."""

from datetime import UTC, datetime

import pytest

from support.fake_imports import IMAGES
from support.fake_service import FakeService
from xmirad.client import Client
from xmirad.client.aio import AioClient
from xmirad.errors import ArchiveNotFoundError, ConcurrentImportError, ImportNotFoundError, InvalidImageError
from xmirad.types import ImportState

NOWHERE = "imports/nowhere-000001"


@pytest.fixture
def archive(client: Client) -> str:
    client.create_archive("chest")
    return "chest"


def test_a_created_import_says_everything_that_is_known(client: Client, archive: str) -> None:
    created = client.create_import(archive, "covidx", split="test")

    assert (created.archive, created.folder, created.split) == (archive, "covidx", "test")
    assert created.state is ImportState.QUEUED
    assert created.create_time == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert (created.total, created.done, created.failures, created.error, created.finish_time) == (0, 0, {}, None, None)
    assert (created.include, created.exclude) == ((), ())
    assert client.get_import(created.name) == created


def test_patterns_of_an_import_are_sent_and_told(client: Client, archive: str) -> None:
    created = client.create_import(archive, "covidx", include=["train/**", "*.png"], exclude=["masks"])
    assert (created.include, created.exclude) == (("train/**", "*.png"), ("masks",))


def test_an_import_is_watched_to_its_end(client: Client, archive: str) -> None:
    created = client.create_import(archive, "covidx")

    seen = list(client.watch_import(created.name))

    assert [each.done for each in seen] == [*range(IMAGES + 1)]
    assert (seen[-1].state, seen[-1].total, seen[-1].failed) == (ImportState.SUCCEEDED, IMAGES, 1)
    assert isinstance(seen[-1].failures["broken.png"], InvalidImageError)
    assert seen[-1].finish_time is not None


def test_a_watch_goes_on_after_its_stream_breaks(client: Client, service: FakeService, archive: str) -> None:
    created = client.create_import(archive, "covidx")
    service.switches.break_after = 2

    states = [each.state for each in client.watch_import(created.name)]

    assert states[-1] is ImportState.SUCCEEDED
    assert service.switches.calls["WatchImport"] > 1


def test_a_second_import_into_an_archive_waits_for_the_first(client: Client, archive: str) -> None:
    created = client.create_import(archive, "covidx")

    with pytest.raises(ConcurrentImportError):
        client.create_import(archive, "isic2017")
    assert client.cancel_import(created.name).state is ImportState.CANCELLED
    assert client.create_import(archive, "isic2017").folder == "isic2017"


def test_imports_are_listed_over_several_pages(client: Client, archive: str) -> None:
    client.create_archive("skin")
    first, second = client.create_import(archive, "covidx"), client.create_import("skin", "isic2017")

    assert [each.name for each in client.list_imports()] == [first.name, second.name]
    assert [each.name for each in client.list_imports(archive="skin")] == [second.name]


def test_what_is_not_there_is_said_to_be_missing(client: Client) -> None:
    with pytest.raises(ArchiveNotFoundError):
        client.create_import("nowhere", "covidx")
    for ask in (client.get_import, client.cancel_import, lambda name: next(client.watch_import(name))):
        with pytest.raises(ImportNotFoundError):
            ask(NOWHERE)


async def test_the_asynchronous_client_imports_too(service: FakeService) -> None:
    async with AioClient(service.address) as client:
        await client.create_archive("chest")
        created = await client.create_import("chest", "covidx")

        last = [each async for each in client.watch_import(created.name)][-1]

        assert last.state is ImportState.SUCCEEDED
        assert [each.name async for each in client.list_imports()] == [created.name]
        assert (await client.get_import(created.name)).done == IMAGES
        assert (await client.cancel_import(created.name)).state is ImportState.SUCCEEDED
