"""Storing the same item from two processes, whose locks do not know each other."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.indexing import Workshop, incoming, until, workshop
from xmirad.catalog.records import ItemRecord
from xmirad.errors import BackendUnavailableError, ItemDeletedError
from xmirad.types import ItemAttributes, UploadState


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


async def test_an_update_that_another_process_overtook_is_not_acknowledged(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers of the same revision cannot both win; the loser must not say that it did."""
    runner, catalog = shop.runner(), shop.tools.catalog
    stored = await runner.store(incoming())
    first, put = catalog.item(shop.record, stored.item), catalog.put_item
    assert first is not None
    theirs = replace(first, revision=2, attributes=ItemAttributes(labels=("theirs",)))

    def put_after_them(record: ItemRecord, *arguments: Any, **options: Any) -> int | None:  # noqa: ANN401
        put(theirs)
        return put(record, *arguments, **options)

    monkeypatch.setattr(catalog, "put_item", put_after_them)
    with pytest.raises(BackendUnavailableError) as caught:
        await runner.store(incoming(attributes=ItemAttributes(labels=("ours",))))
    assert caught.value.retry_delay_seconds is not None
    monkeypatch.undo()
    again = await runner.store(incoming(attributes=ItemAttributes(labels=("ours",))))
    assert again.state is UploadState.UPDATED
    latest = catalog.item(shop.record, stored.item)
    assert latest is not None
    assert (latest.revision, latest.attributes.labels) == (3, ("ours",))


async def test_an_item_that_another_process_deletes_while_it_is_stored_is_not_found_afterwards(shop: Workshop) -> None:
    runner = shop.runner()
    stored = await runner.store(incoming())
    shop.writing.begun.clear()
    shop.writing.closed = True
    storing = asyncio.create_task(runner.store(incoming(attributes=ItemAttributes(labels=("late",)))))
    await until(shop.writing.begun)

    shop.tools.catalog.add_tombstones(shop.record, [stored.item])
    shop.writing.opened.set()

    with pytest.raises(ItemDeletedError):
        await storing
    assert await shop.applier().has_followed(shop.record, [stored.item])
    assert shop.archive.get([stored.item]) == []
    assert [record.item for record in shop.tools.catalog.half_deleted(shop.record)] == [stored.item]
