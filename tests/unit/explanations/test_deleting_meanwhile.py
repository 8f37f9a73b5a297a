"""An image that is deleted while its cache entry is being finished leaves nothing behind."""

from collections.abc import Callable

import pytest

from support.explaining import CHUNKS, World
from xmirad.explanations.cache import WHOLE
from xmirad.explanations.entries import OcclusionEntry


def filled(world: World, *, chunks: int = CHUNKS) -> OcclusionEntry:
    entry = world.entry(world.create())
    for number in range(chunks):
        world.put(entry, number)
    return entry


def read_then_tidy(world: World, entry: OcclusionEntry, between: Callable[[], None], *, windows: int) -> None:
    coded = world.cache.read(entry, windows)
    assert coded is not None
    between()
    world.cache.tidy(entry, coded)


@pytest.mark.parametrize("chunks", [CHUNKS, 1])
def test_an_entry_that_is_deleted_between_reading_and_tidying_stays_deleted(chunks: int) -> None:
    world = World()
    entry = filled(world, chunks=chunks)
    windows = world.cache.complete_windows(entry)
    read_then_tidy(world, entry, lambda: world.delete_item(world.item_of(entry.image)), windows=windows)
    assert not world.cache.exists(entry.location)
    assert world.cache.sums() == (0, 0)
    world.forgetter.purger.purge_all()
    assert list(world.blobs.list(entry.location)) == []


@pytest.mark.parametrize("is_after", [False, True])
def test_an_image_that_is_deleted_while_its_entry_is_put_together_takes_it_along(
    monkeypatch: pytest.MonkeyPatch, *, is_after: bool
) -> None:
    world = World()
    entry = filled(world)
    put = world.blobs.put

    def put_beside_a_deletion(key: str, data: bytes, *, if_absent: bool = False) -> bool:
        is_stored = is_after and put(key, data, if_absent=if_absent)
        if key.endswith(WHOLE):
            world.delete_item(world.item_of(entry.image))
            world.forgetter.purger.purge_all()
        return is_stored or put(key, data, if_absent=if_absent)

    monkeypatch.setattr(world.blobs, "put", put_beside_a_deletion)
    read_then_tidy(world, entry, lambda: None, windows=entry.lattice.windows)
    assert not world.cache.exists(entry.location)
    assert world.cache.sums() == (0, 0)
    world.forgetter.purger.purge_all()
    assert list(world.blobs.list(entry.location)) == []


def test_an_entry_whose_image_stays_is_put_together_and_noted() -> None:
    world = World()
    entry = filled(world)
    read_then_tidy(world, entry, lambda: None, windows=entry.lattice.windows)
    assert [key.removeprefix(entry.location) for key in world.blobs.list(entry.location)] == [WHOLE]
    assert world.cache.sums() == (entry.size_bytes(8), 1)
