"""Opening archives while others delete them."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from support.indexing import SITE_KEY, Gate, Workshop, incoming, until, workshop
from support.memory_archive import MemoryArchive
from support.records import EMBEDDING_SIZE, MODEL, item_record, unit_vector
from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import ArchiveBinding, ArchiveStore
from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import binding_of, stored_item
from xmirad.errors import ArchiveNotFoundError, ModelNotFoundError
from xmirad.imaging.preprocessing import IMAGENET, Preprocessing
from xmirad.types import OriginalsPolicy
from xmirad_services.retrieval import open_archives
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.open_archives import COUNT_SECONDS, LOOK_SECONDS, OpenArchive, OpenArchives


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path, site_key_fingerprint=SITE_KEY.fingerprint) as made:
        yield made


class AnyModel:
    """Has every model; its recipe is not needed here."""

    digest, embedding_size = MODEL, EMBEDDING_SIZE
    preprocessing = IMAGENET

    def find(self, name: str) -> "AnyModel":
        return self


async def nothing(opened: OpenArchive) -> None:
    """Empty an archive that is empty."""


async def test_archives_that_nobody_has_asked_for_are_counted_too(shop: Workshop, tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "store")
    store.create(binding_of(shop.record)).close()
    shop.tools.catalog.create_archive(replace(shop.record, creation="d" * 32, archive="lost"))
    archives = OpenArchives(store, cast("LoadedModels", AnyModel()), shop.tools)

    assert await archives.sizes() == {"chest": 0, "lost": 0}
    assert store.list() == [shop.record.creation]
    await archives.close()


async def test_counting_an_archive_that_is_being_deleted_does_not_bring_its_index_back(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EdgeStore(tmp_path / "store")
    archives = OpenArchives(store, cast("LoadedModels", AnyModel()), shop.tools)
    opened, gate, drop = await archives.get("chest", site="local"), Gate(closed=True), store.drop

    def drop_later(archive: str, creation: str) -> None:
        gate.pass_through()
        drop(archive, creation)

    monkeypatch.setattr(store, "drop", drop_later)
    deleting = asyncio.create_task(archives.delete(opened, force=True, empty=nothing))
    await until(gate.begun)
    counting = asyncio.create_task(archives.handle(shop.record))  # as listing all archives does
    await asyncio.wait({counting}, timeout=0.1)
    gate.opened.set()
    await deleting
    with pytest.raises(ArchiveNotFoundError):
        await counting
    assert store.list() == []
    other = replace(shop.record, creation="d" * 32, model="n" * 64, embedding_size=3)
    shop.tools.catalog.create_archive(other)
    assert (await archives.get("chest", site="local")).archive.binding == binding_of(other)
    await archives.close()


async def test_creating_an_archive_that_is_being_deleted_makes_a_new_one(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EdgeStore(tmp_path / "store")
    archives = OpenArchives(store, cast("LoadedModels", AnyModel()), shop.tools)
    opened, gate = await archives.get("chest", site="local"), Gate(closed=True)
    drop = store.drop

    def drop_later(archive: str, creation: str) -> None:
        gate.pass_through()
        drop(archive, creation)

    monkeypatch.setattr(store, "drop", drop_later)
    deleting = asyncio.create_task(archives.delete(opened, force=True, empty=nothing))
    await until(gate.begun)
    creating = asyncio.create_task(archives.create("chest", site="local", model="", originals=OriginalsPolicy.COPY))
    await asyncio.wait({creating}, timeout=0.1)
    gate.opened.set()
    await deleting
    created = await creating
    assert created.record.create_time > shop.record.create_time
    assert store.list() == [created.record.creation]
    await archives.close()


async def test_a_re_created_archive_gets_nothing_of_one_whose_deletion_a_crash_cut_short(
    shop: Workshop, tmp_path: Path
) -> None:
    store = EdgeStore(tmp_path / "store")
    item = item_record()
    store.create(binding_of(shop.record)).upsert([stored_item(item, "local", unit_vector(0))])
    shop.tools.catalog.put_item(item)
    shop.tools.catalog.delete_archive(shop.record)  # and here the process died
    archives = OpenArchives(store, cast("LoadedModels", AnyModel()), shop.tools)
    opened = await archives.create("chest", site="local", model="", originals=OriginalsPolicy.COPY)
    assert opened.archive.count() == 0
    await archives.drop("chest", shop.record.creation)
    assert await archives.sizes() == {"chest": 0}
    await archives.close()


class NoModel(AnyModel):
    """Has lost every model, until it is installed again."""

    installed = False

    def find(self, name: str) -> AnyModel:
        if not self.installed:
            raise ModelNotFoundError("there is no such model")
        return self


async def test_an_archive_whose_model_is_gone_can_be_read_and_deleted(shop: Workshop, tmp_path: Path) -> None:
    """Otherwise a patient's images could not be deleted without a model that may never come back."""
    store, models = EdgeStore(tmp_path / "store"), NoModel()
    archives = OpenArchives(store, cast("LoadedModels", models), shop.tools)
    opened = await archives.get("chest", site="local")
    assert opened.archive.count() == 0
    for refused in (opened.require_artifact, opened.require_runner):
        with pytest.raises(ModelNotFoundError):
            refused()
    models.installed = True
    opened = await archives.get("chest", site="local")
    assert opened.require_runner() is (await archives.get("chest", site="local")).runner
    models.installed = False
    await archives.delete(opened, force=False, empty=nothing)
    assert store.list() == []
    await archives.close()


class SharedStore:
    """A store that several processes share, as a Qdrant server is: by creation, whatever was opened before."""

    kind = "qdrant"
    beside = None

    def __init__(self) -> None:
        self.there: dict[str, MemoryArchive] = {}

    def create(self, binding: ArchiveBinding) -> MemoryArchive:
        return self.there.setdefault(binding.creation, MemoryArchive(binding))

    def open(self, binding: ArchiveBinding) -> MemoryArchive:
        if binding.creation not in self.there:
            raise ArchiveNotFoundError("there is no archive of that name")
        return self.there[binding.creation]

    def drop(self, archive: str, creation: str) -> None:
        self.there.pop(creation, None)

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model of a name."""

    digest: str
    embedding_size: int = EMBEDDING_SIZE
    preprocessing: Preprocessing = IMAGENET


class NamedModels:
    """Has a model of every name."""

    def find(self, name: str) -> NamedModel:
        return NamedModel(name)


@dataclass(slots=True)
class Replicas:
    """Two processes on one catalog and one store, and the time of both."""

    first: OpenArchives
    second: OpenArchives
    now: float = 1_000.0

    async def create(self, model: str) -> OpenArchive:
        return await self.first.create("xray", site="local", model=model, originals=OriginalsPolicy.COPY)

    async def seen(self) -> OpenArchive:
        return await self.second.get("xray", site="local")


@pytest.fixture
def replicas(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Replicas:
    store, models = SharedStore(), cast("LoadedModels", NamedModels())
    first, second = (OpenArchives(cast("ArchiveStore", store), models, shop.tools) for _ in range(2))
    both = Replicas(first, second)
    monkeypatch.setattr(open_archives, "time", SimpleNamespace(monotonic=lambda: both.now, time=time.time))
    return both


async def test_an_archive_that_another_process_made_anew_is_used_with_its_new_model(replicas: Replicas) -> None:
    one = await replicas.create("1" * 64)
    before = await replicas.seen()
    await replicas.first.delete(one, force=True, empty=nothing)
    two = await replicas.create("2" * 64)

    replicas.now += LOOK_SECONDS
    after = await replicas.seen()

    assert before.record.model == "1" * 64
    assert after.record == two.record
    assert after.require_artifact().digest == after.archive.binding.model_digest == "2" * 64
    assert (await replicas.second.handle(two.record)).binding == after.archive.binding
    with pytest.raises(ArchiveNotFoundError):
        await replicas.second.handle(one.record)
    with pytest.raises(ArchiveNotFoundError):
        await before.require_runner().store(incoming(b"image"))
    assert after.archive.count() == 0


async def test_an_archive_that_another_process_deleted_is_gone_within_a_second(replicas: Replicas) -> None:
    one = await replicas.create("1" * 64)
    await replicas.seen()
    assert await replicas.second.sizes() == {"chest": 0, "xray": 0}
    await replicas.first.delete(one, force=True, empty=nothing)
    replicas.now += LOOK_SECONDS
    with pytest.raises(ArchiveNotFoundError):
        await replicas.seen()
    replicas.now += COUNT_SECONDS
    assert await replicas.second.sizes() == {"chest": 0}


async def test_the_catalog_is_asked_for_an_open_archive_once_a_second_at_most(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replicas.create("1" * 64)
    opened = await replicas.seen()
    looks: list[str] = []
    find = replicas.second.catalog.archive

    def counted(site: str, archive: str) -> ArchiveRecord:
        looks.append(archive)
        return find(site, archive)

    monkeypatch.setattr(replicas.second.catalog, "archive", counted)
    for _ in range(40):
        replicas.now += LOOK_SECONDS / 10
        assert await replicas.seen() is opened
    assert looks == ["xray"] * 4
