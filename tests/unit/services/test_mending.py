"""The vector store is an index: whatever becomes of it, it is made again from the catalog, and searches say so."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from support.catalogs import damage_embedding, location_of
from support.indexing import SITE_KEY, Workshop, incoming, workshop
from support.records import EMBEDDING_SIZE, MODEL
from xmirad.archive.edge import EdgeStore
from xmirad.archive.edge_archive import EdgeArchive
from xmirad.catalog.indexes import Indexes
from xmirad.catalog.records import ArchiveRecord, IndexProgress, IndexState
from xmirad.catalog.stored import binding_of
from xmirad.errors import ArchiveRebuildingError, BackendUnavailableError
from xmirad.imaging.preprocessing import IMAGENET
from xmirad.indexing import applier, mender, optimizing
from xmirad.indexing.applier import LARGEST_BATCH
from xmirad.indexing.optimizing import MakeBeside, fill_and_optimize
from xmirad.types import EdgeIndex, Float32Array, ItemAttributes, UInt8Array
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives

COUNT = 100
"""More than are mended without a word."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    monkeypatch.setattr(mender, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(optimizing, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(applier, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(applier, "FLUSH_SECONDS", 0.05)
    with workshop(tmp_path, site_key_fingerprint=SITE_KEY.fingerprint) as made:
        yield made


class OneModel:
    """Has one model, which embeds as the workshop does."""

    digest, embedding_size = MODEL, EMBEDDING_SIZE
    preprocessing = IMAGENET

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    def find(self, name: str) -> "OneModel":
        return self

    def embedder(self, digest: str) -> "OneModel":
        return self

    def embed(self, pixels: UInt8Array) -> Float32Array:
        return self._shop.embed(pixels)


async def nothing_is_made(record: ArchiveRecord) -> None:
    raise AssertionError("a flat archive needs nothing beside it")


@asynccontextmanager
async def service(
    shop: Workshop,
    folder: Path,
    index: EdgeIndex = EdgeIndex.FLAT,
    make_beside: MakeBeside = nothing_is_made,
) -> AsyncIterator[OpenArchives]:
    """Open the archives as a service does, which applies marks and mends."""
    store = EdgeStore(folder / "store", index=index)
    archives = OpenArchives(store, cast("LoadedModels", OneModel(shop)), shop.tools, make_beside=make_beside)
    task = asyncio.create_task(archives.keep_up())
    try:
        yield archives
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await archives.close()


async def fill(archives: OpenArchives, count: int = COUNT, *, first: int = 0) -> list[str]:
    opened = await archives.get("chest", site="local")
    numbers = range(first, first + count)
    storing = [opened.require_runner().store(incoming(b"%d" % n, external_id=str(n))) for n in numbers]
    return [stored.item for stored in await asyncio.gather(*storing)]


def held(opened: OpenArchive) -> list[str]:
    """Return the ids of what a search of everything finds."""
    opened.place.require_whole(allow_partial=False)
    query = np.full(EMBEDDING_SIZE, 1.0, np.float32)
    return sorted(found.item for found in opened.archive.query(query, top_k=1_000))


async def mended(archives: OpenArchives) -> list[str]:
    """Wait until a search finds something again, and return what."""
    async with asyncio.timeout(20):
        while True:
            opened = await archives.get("chest", site="local")
            progress = await asyncio.to_thread(Indexes(archives.catalog.database).progress, opened.record)
            followed = await archives.applier.has_followed(opened.record, [])
            if followed and progress.state is IndexState.LIVE and opened.place.progress.state is IndexState.LIVE:
                try:
                    return await archives._tools.lanes.store.run(1, held, opened)  # type: ignore[arg-type]
                except ArchiveRebuildingError:
                    pass
            archives._looked.clear()
            await asyncio.sleep(0.05)


def lose(store: Path) -> None:
    shutil.rmtree(store)


def damage_segments(store: Path) -> None:
    for file in store.rglob("shard/segments/**/*"):
        if file.is_file():
            file.write_bytes(b"\xff" * 64)


def damage_configuration(store: Path) -> None:
    next(store.rglob("edge_config.json")).write_text("broken")


def damage_binding(store: Path) -> None:
    next(store.rglob("binding.json")).write_text("{")


@pytest.mark.parametrize("harm", [lose, damage_segments, damage_configuration, damage_binding])
async def test_a_store_that_is_lost_or_damaged_is_made_again(
    shop: Workshop, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with service(shop, tmp_path) as archives:
        items = await fill(archives)
        assert await mended(archives) == sorted(items)
    harm(tmp_path / "store")
    async with service(shop, tmp_path) as archives:
        opened = await archives.get("chest", site="local")
        for allow_partial in (False, True):  # nothing is there yet
            with pytest.raises(ArchiveRebuildingError) as caught:
                opened.place.require_whole(allow_partial=allow_partial)
            assert caught.value.retry_delay_seconds is not None
        assert await mended(archives) == sorted(items)
    async with service(shop, tmp_path) as archives:
        assert await mended(archives) == sorted(items)


async def test_a_store_that_is_lost_while_it_is_being_made_is_made_again(shop: Workshop, tmp_path: Path) -> None:
    async with service(shop, tmp_path) as archives:
        items = await fill(archives)
        record = (await archives.get("chest", site="local")).record
    Indexes(shop.tools.catalog.database).begin(record, total=COUNT)
    lose(tmp_path / "store")
    async with service(shop, tmp_path) as archives:
        assert await mended(archives) == sorted(items)


async def test_a_store_of_an_older_time_is_brought_up_to_date(shop: Workshop, tmp_path: Path) -> None:
    async with service(shop, tmp_path) as archives:
        old = await fill(archives)
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    async with service(shop, tmp_path) as archives:
        new = await fill(archives, first=COUNT)
        record = (await archives.get("chest", site="local")).record
        shop.tools.catalog.add_tombstones(record, old[:10])
        shop.tools.catalog.forget_items(record, old[:10])
        assert await archives.applier.has_followed(record, old[:10])
    shutil.rmtree(tmp_path / "store")
    shutil.copytree(tmp_path / "copy", tmp_path / "store")
    async with service(shop, tmp_path) as archives:
        opened = await archives.get("chest", site="local")
        shown = await archives._tools.lanes.store.run(1, held, opened)  # type: ignore[arg-type]
        assert not set(old[:10]) & set(shown)  # whatever the store says
        async with asyncio.timeout(20):
            while await mended(archives) != sorted([*old[10:], *new]):
                await asyncio.sleep(0.05)


async def test_a_store_is_compared_again_every_day(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(shop, tmp_path) as archives:
        items = await fill(archives, 3)
        opened = await archives.get("chest", site="local")
        assert await archives.applier.has_followed(opened.record, items)
        await asyncio.sleep(0.2)  # compared when it was opened
        store = archives._tools.lanes.store
        await store.run(1, cast("EdgeArchive", opened.place.archive).delete, items[:1])  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        assert len(await store.run(1, held, opened)) == 2  # type: ignore[arg-type]
        monkeypatch.setattr(mender, "COMPARE_SECONDS", 0.0)
        async with asyncio.timeout(20):
            while len(await store.run(1, held, opened)) != 3:  # type: ignore[arg-type]
                await asyncio.sleep(0.05)


async def test_an_index_that_is_asked_for_is_made_again_while_everything_else_goes_on(
    shop: Workshop, tmp_path: Path
) -> None:
    async with service(shop, tmp_path) as archives:
        items = await fill(archives)
        opened = await archives.get("chest", site="local")
        Indexes(shop.tools.catalog.database).request(opened.record)
        more = await fill(archives, 5, first=COUNT)
        assert [item.item for item in opened.items.scan(after=None, limit=1_000)] == sorted([*items, *more])
        async with asyncio.timeout(20):
            while await mended(archives) != sorted([*items, *more]):
                await asyncio.sleep(0.05)


def revise(shop: Workshop, record: ArchiveRecord, item: str) -> None:
    """Store an item again with another label."""
    present = shop.tools.catalog.item(record, item)
    assert present is not None
    changed = replace(present, revision=present.revision + 1, attributes=ItemAttributes(labels=("revised",)))
    shop.tools.catalog.put_item(changed, shop.tools.catalog.embeddings(record, [item])[item])  # type: ignore[arg-type]


async def test_what_is_made_beside_an_archive_takes_its_place_with_all_that_happened_meanwhile(
    shop: Workshop, tmp_path: Path
) -> None:
    made, go_on = asyncio.Event(), asyncio.Event()
    child_store = EdgeStore(tmp_path / "store", index=EdgeIndex.HNSW)

    async def make_beside(record: ArchiveRecord) -> None:
        beside = child_store.create_beside(binding_of(record))
        await asyncio.to_thread(fill_and_optimize, record, beside, shop.tools.catalog)
        made.set()
        await go_on.wait()

    async with service(shop, tmp_path, EdgeIndex.HNSW, make_beside) as archives:
        items = await fill(archives)
        opened = await archives.get("chest", site="local")
        assert opened.archive.always_exact
        Indexes(shop.tools.catalog.database).request(opened.record)
        await made.wait()
        assert len(await whole(archives)) == COUNT  # searched while the graph is being made
        more = await fill(archives, LARGEST_BATCH + 6, first=COUNT)
        shop.tools.catalog.add_tombstones(opened.record, items[:2])
        revise(shop, opened.record, items[2])
        assert await archives.applier.has_followed(opened.record, [*items[:3], *more])
        go_on.set()
        assert await mended(archives) == sorted([*items[2:], *more])
        opened = await archives.get("chest", site="local")
        assert not opened.archive.always_exact
        [revised] = await archives._tools.lanes.store.run(1, opened.archive.get, items[2:3])  # type: ignore[arg-type]
        assert revised.payload.attributes.labels == ("revised",)
        assert not list((tmp_path / "store").glob("*.beside*"))


async def whole(archives: OpenArchives) -> list[str]:
    """Wait until searches are answered in full, and return what one finds."""
    async with asyncio.timeout(20):
        while True:
            archives._looked.clear()
            opened = await archives.get("chest", site="local")
            try:
                return await archives._tools.lanes.store.run(1, held, opened)  # type: ignore[arg-type]
            except ArchiveRebuildingError:
                await asyncio.sleep(0.05)


async def test_a_graph_that_cannot_be_made_costs_no_search_and_is_tried_again(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizing, "PAUSE_SECONDS", 0.05)
    tries = 0

    async def make_beside(record: ArchiveRecord) -> None:
        nonlocal tries
        tries += 1
        raise BackendUnavailableError("the disk is full", metadata={"backend": "edge"})

    async with service(shop, tmp_path, EdgeIndex.HNSW, make_beside) as archives:
        items = await fill(archives)
        opened = await archives.get("chest", site="local")
        Indexes(shop.tools.catalog.database).request(opened.record)
        async with asyncio.timeout(20):
            while tries < 2:
                await asyncio.sleep(0.05)
        assert await whole(archives) == sorted(items)
        assert opened.place.progress.state is IndexState.OPTIMIZING


async def test_a_part_is_searched_only_if_the_caller_allows_it(shop: Workshop, tmp_path: Path) -> None:
    async with service(shop, tmp_path) as archives:
        await fill(archives, 3)
        place = (await archives.get("chest", site="local")).place
        assert place.require_whole(allow_partial=True) is None
        place.progress = IndexProgress(IndexState.BUILDING, 1, 3)
        with pytest.raises(ArchiveRebuildingError) as caught:
            place.require_whole(allow_partial=False)
        assert (caught.value.metadata["done"], caught.value.metadata["total"]) == ("1", "3")
        assert place.require_whole(allow_partial=True) == place.progress


async def test_a_shard_that_panics_while_it_is_searched_is_made_again(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """As pyo3's: not an `Exception`."""

    async with service(shop, tmp_path) as archives:
        items = await fill(archives)
        opened = await archives.get("chest", site="local")
        shard = cast("EdgeArchive", opened.place.archive)._open_shard

        class Panicking:
            def query(self, request: object) -> object:
                raise PanicException("index out of bounds")

            def __getattr__(self, name: str) -> object:
                return getattr(shard, name)

        monkeypatch.setattr(opened.place.archive, "_open_shard", Panicking())
        with pytest.raises(ArchiveRebuildingError):
            await archives._tools.lanes.store.run(1, held, opened)  # type: ignore[arg-type]
        assert await mended(archives) == sorted(items)


async def test_a_damaged_embedding_is_computed_again_and_one_that_cannot_be_costs_no_other_item(
    shop: Workshop, tmp_path: Path
) -> None:
    async with service(shop, tmp_path) as archives:
        items = await fill(archives)
        await mended(archives)
    for item in items[:2]:
        damage_embedding(shop.tools.catalog, item, b"garbage")
    lost = shop.tools.catalog.item(shop.tools.catalog.archive("local", "chest"), items[1])
    assert lost is not None
    shop.store.delete(location_of(shop.tools.catalog, lost.image, lost.preprocessing))
    lose(tmp_path / "store")
    async with service(shop, tmp_path) as archives:
        assert await mended(archives) == sorted(set(items) - {items[1]})
        record = (await archives.get("chest", site="local")).record
        assert isinstance(shop.tools.catalog.embeddings(record, items[:1])[items[0]], np.ndarray)
