"""Many maps of one image cost one reading of what is kept of it."""

from collections import Counter

import numpy as np
import pytest

from support.explaining import CHUNKS, World
from xmirad.explanations.reading import ReadOnce
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState


class Reads:
    """Counts how often each blob of the cache is read."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count: Counter[str] = Counter()
        get = world.blobs.get

        def counted(key: str) -> bytes:
            data = get(key)
            if "occlusion/" in key:
                self.count[key.rpartition("/")[2]] += 1
            return data

        monkeypatch.setattr(world.blobs, "get", counted)


def asked_for(world: World, results: int) -> list[str]:
    query = world.query(1)
    return [
        world.create(query=query, result=world.item(10 + number), explained_image=ExplainedImage.QUERY)
        for number in range(results)
    ]


def maps_of(world: World, explanations: list[str]) -> list[bytes]:
    snapshots = [world.watcher.snapshot(each) for each in explanations]
    assert all(one.state is ExplanationState.SUCCEEDED for one in snapshots)
    return [kept.pixels() for one in snapshots for kept in one.maps]


def test_ten_explanations_of_one_image_read_it_as_often_as_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    one, ten = World(), World()
    reads_of_one, reads_of_ten = Reads(one, monkeypatch), Reads(ten, monkeypatch)
    asked_for(one, 1), asked_for(ten, 10)
    one.work(), ten.work()
    assert reads_of_ten.count == reads_of_one.count
    assert reads_of_one.count[f"{CHUNKS - 1:04d}"] == 1


def test_maps_made_together_have_the_bytes_of_maps_made_alone() -> None:
    together, alone = World(), World()
    explanations = asked_for(together, 3)
    together.work()
    for number in range(1, 4):
        asked_for(alone, number)
        alone.work()
    assert maps_of(together, explanations) == maps_of(alone, explanations)


def test_readers_have_their_map_before_the_entry_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    (explanation,) = asked_for(world, 1)
    states = []
    tidy = world.cache.tidy

    def noted(*arguments: object) -> None:
        states.append(world.watcher.snapshot(explanation).state)
        tidy(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(world.cache, "tidy", noted)
    world.work()
    assert states == [ExplanationState.RUNNING] * 3 + [ExplanationState.SUCCEEDED]
    assert not world.cache.missing(world.entry(explanation))


def test_a_corrupt_chunk_is_computed_again_for_everybody_who_waits() -> None:
    world = World()
    explanations = asked_for(world, 3)
    entry = world.entry(explanations[0])
    for number in range(CHUNKS):
        world.put(entry, number)
    world.blobs.damage(f"{entry.location}0000")
    world.queue.clear()
    world.board.clear()
    for explanation in explanations:
        world.cache.subscribe(entry, explanation)
    world.completion.after_chunk(entry, CHUNKS - 1)
    assert world.work() == 1
    assert len(maps_of(world, explanations)) == 3


def test_other_entries_are_read_as_they_are() -> None:
    world = World()
    first = world.entry(world.create())
    world.work()
    second = world.entry(world.create(result=world.item(4)))
    world.work(tasks=2)
    held = ReadOnce(world.cache, first, 81, coded=None)
    assert (held.load(first, 81), held.complete_windows(first)) == (None, 81)
    assert held.complete_windows(second) == 25
    loaded = held.load(second, 25)
    assert loaded is not None
    np.testing.assert_array_equal(loaded.values, world.cache.load(second, 25).values)  # type: ignore[union-attr]
