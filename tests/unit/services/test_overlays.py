from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from support.explaining import SIZE, World
from xmirad.explanations.records import ExplanationRequest, ImageReference
from xmirad.indexing.runner import Tools
from xmirad.lanes import Lane
from xmirad.types import ImageGeometry
from xmirad_services.retrieval.overlays import Overlays
from xmirad_services.retrieval.pictures import Picture, Pictures

WHOLE = ImageGeometry(SIZE, SIZE, SIZE, SIZE, 0, 0, SIZE)


class OnePicture:
    """Shows gray, or nothing, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_there = True

    async def of(self, request: ExplanationRequest, image: ImageReference) -> Picture | None:
        self.asked += 1
        return Picture(np.full((SIZE, SIZE, 3), 128, np.uint8), WHOLE) if self.is_there else None


@pytest.fixture
def tools() -> Iterator[Tools]:
    lane = Lane("blobs", workers=1)
    yield cast("Tools", SimpleNamespace(lanes=SimpleNamespace(blobs=lane)))
    lane.close()


async def test_a_map_that_has_not_changed_is_not_drawn_again(tools: Tools) -> None:
    world, pictures = World(), OnePicture()
    overlays = Overlays(cast("Pictures", pictures), tools)
    explanation = world.create()
    world.work(tasks=2)
    preview = await overlays.of(world.watcher.snapshot(explanation))

    assert await overlays.of(world.watcher.snapshot(explanation)) == preview
    assert pictures.asked == 1
    world.work()
    exact = await overlays.of(world.watcher.snapshot(explanation))
    assert exact != preview
    assert pictures.asked == 2


async def test_a_picture_that_was_missing_is_looked_for_again(tools: Tools) -> None:
    world, pictures = World(), OnePicture()
    overlays = Overlays(cast("Pictures", pictures), tools)
    explanation = world.create()
    world.work()
    pictures.is_there = False

    assert await overlays.of(world.watcher.snapshot(explanation)) == [b""]
    pictures.is_there = True
    assert (await overlays.of(world.watcher.snapshot(explanation)))[0].startswith(b"\x89PNG")
