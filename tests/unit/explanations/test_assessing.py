from typing import cast

import numpy as np
import pytest

from support.explaining import SIZE, World
from support.saliency import toy_embedder
from xmirad.errors import ExplanationNotFoundError, ItemNotFoundError
from xmirad.explanations import assessing
from xmirad.explanations.assessing import CONTROL_SEED, Assessor
from xmirad.explanations.ports import QueueName
from xmirad.explanations.records import ExplanationRequest
from xmirad.explanations.results import Fidelity, KeptMap
from xmirad.explanations.store import Asked
from xmirad.models.embedder import BackboneEmbedder
from xmirad.saliency.controls import control_fields
from xmirad.saliency.fidelity import curves, pixel_order
from xmirad.saliency.method import ExplainedImage
from xmirad.types import Float32Array, UInt8Array

OTHER = np.eye(1, 8, dtype=np.float32)[0]
UNITS_OF_A_MAP = 2
UNITS_OF_CONTROLS = 20


class CountingEmbedder:
    """A small network that counts its batches."""

    def __init__(self) -> None:
        self.batches = 0
        self._embed = toy_embedder(3, size=SIZE, embedding_size=8)

    def normalized(self, pixels: UInt8Array) -> Float32Array:
        return np.moveaxis(pixels, -1, 1).astype(np.float32) / np.float32(255)

    def embed_normalized(self, batch: Float32Array) -> Float32Array:
        self.batches += 1
        return self._embed(batch)


class Bench:
    """An assessor on a finished explanation."""

    def __init__(self) -> None:
        self.world = World()
        self.embedder = CountingEmbedder()
        self.assessor = Assessor(
            self.world.blobs,
            self.world.images,
            self.world.store,
            self.world.cache,
            embedder_of=lambda _: cast("BackboneEmbedder", self.embedder),
        )

    def finished(self, request: ExplanationRequest) -> tuple[Asked, tuple[KeptMap, ...]]:
        asked = self.world.creator.create(request, queue=QueueName.INTERACTIVE)
        self.world.work()
        outcome = self.world.store.outcome(asked)
        assert outcome is not None
        return asked, outcome.maps

    def assessed(self, asked: Asked, maps: tuple[KeptMap, ...]) -> tuple[list[Fidelity], int]:
        """Return the figures, and how many calls they took."""
        calls = 1
        while (figures := self.assessor.assess(asked, maps, [OTHER] * len(maps))) is None:
            calls += 1
            assert calls < 100
        return figures, calls


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_figures_are_those_of_whole_curves(bench: Bench) -> None:
    request = bench.world.request()
    asked, maps = bench.finished(request)

    figures, _ = bench.assessed(asked, maps)

    pixels = bench.world.images.input(request.result.digest, request.preprocessing, is_query=False)
    image = bench.embedder.normalized(pixels[None])[0]

    def fidelity(field: Float32Array) -> float:
        return curves(image, pixel_order(field), other=OTHER, embed=bench.embedder.embed_normalized).fidelity

    assert figures[0].areas.fidelity == pytest.approx(fidelity(maps[0].saliency.values), abs=1e-6)
    controls = [fidelity(field) for field in control_fields(SIZE, seed=CONTROL_SEED)]
    assert figures[0].controls == pytest.approx(controls, abs=1e-6)


def test_with_no_time_at_all_every_call_still_computes_a_unit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assessing, "UNIT_SECONDS", 0.0)
    asked, maps = bench.finished(bench.world.request())

    _, calls = bench.assessed(asked, maps)

    assert calls == UNITS_OF_A_MAP + UNITS_OF_CONTROLS
    assert bench.embedder.batches == UNITS_OF_A_MAP + UNITS_OF_CONTROLS


def test_controls_of_an_image_serve_its_next_map(bench: Bench) -> None:
    bench.assessed(*bench.finished(bench.world.request()))
    before = bench.embedder.batches

    bench.assessed(*bench.finished(bench.world.request(query=bench.world.item(3))))

    assert bench.embedder.batches - before == UNITS_OF_A_MAP


def test_units_of_a_map_are_gone_once_it_is_assessed(bench: Bench) -> None:
    asked, maps = bench.finished(bench.world.request())

    bench.assessed(asked, maps)

    assert [key for key in bench.world.blobs.list("explanations/") if "/curves/" in key] == []


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("unit", [0, UNITS_OF_A_MAP, UNITS_OF_A_MAP + UNITS_OF_CONTROLS - 1])
def test_nothing_is_left_of_an_image_that_is_deleted_while_its_map_is_assessed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, unit: int, is_after: bool
) -> None:
    request = bench.world.request()
    asked, maps = bench.finished(request)
    put, units = bench.world.blobs.put, 0

    def put_beside_a_deletion(key: str, data: bytes, *, if_absent: bool = False) -> bool:
        nonlocal units
        is_now = units == unit
        units += 1
        is_stored = is_after and put(key, data, if_absent=if_absent)
        if is_now:
            bench.world.delete_item(request.result)
        return is_stored or put(key, data, if_absent=if_absent)

    monkeypatch.setattr(bench.world.blobs, "put", put_beside_a_deletion)
    with pytest.raises((ItemNotFoundError, ExplanationNotFoundError)):
        bench.assessed(asked, maps)

    assert units == unit + 1
    bench.world.forgetter.purger.purge_all()
    assert [key for key in bench.world.blobs.data if request.result.digest in key] == []


def test_nothing_is_left_of_a_query_that_is_deleted_while_its_map_is_assessed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = bench.world.query(1)
    asked, maps = bench.finished(bench.world.request(query=query, explained_image=ExplainedImage.QUERY))
    put = bench.world.blobs.put

    def put_beside_a_deletion(key: str, data: bytes, *, if_absent: bool = False) -> bool:
        bench.world.forgetter.delete_query(query.digest)
        bench.world.forgetter.purger.purge_all()
        return put(key, data, if_absent=if_absent)

    monkeypatch.setattr(bench.world.blobs, "put", put_beside_a_deletion)
    with pytest.raises(ExplanationNotFoundError):
        bench.assessed(asked, maps)

    assert [key for key in bench.world.blobs.data if query.digest in key] == []
