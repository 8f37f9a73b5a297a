"""Computes what finished maps are worth, a little at a time, so that readers who wait are never kept.

The work is cut into units of one curve or a part of it, each kept as a blob. Those of the control fields do not depend
on the query: they lie beside the image's masked embeddings and serve every later map of the image.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from xmirad.blobs import keys
from xmirad.blobs.arrays import get_array, put_array
from xmirad.blobs.port import BlobStore
from xmirad.catalog.occlusion import NewEntry
from xmirad.errors import EmbeddingCorruptError, ExplanationNotFoundError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.records import ImageKind
from xmirad.explanations.results import Areas, Fidelity, KeptMap
from xmirad.explanations.scoring import image_on
from xmirad.explanations.store import Asked, ExplanationStore
from xmirad.models.embedder import BackboneEmbedder
from xmirad.saliency.controls import control_fields
from xmirad.saliency.fidelity import (
    PUBLISHED_STEP,
    STEP,
    Change,
    Series,
    area,
    embedded_stages,
    pixel_order,
    stage_count,
    verdict,
)
from xmirad.saliency.levels import IntArray
from xmirad.types import Float32Array

CONTROL_SEED = 20
STAGES_PER_UNIT = 29
UNIT_SECONDS = 1.0
"""Work goes back to the queue after so long, and is taken up again behind readers who wait."""


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """One curve of one order of pixels, to be computed in units.

    Attributes:
        prefix: Where its units lie.
        order: In which order pixels change.
        change: Which way.
        step: How many at a time.
        keep: Stores a unit under its key.
    """

    prefix: str
    order: IntArray
    change: Change
    step: int
    keep: Callable[[str, Float32Array], None]


class _Budget:
    """Time for units. The first one is always computed, however long the rest of the work takes."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._is_first = True

    def allows_one(self) -> bool:
        allowed = self._is_first or time.monotonic() < self._deadline
        self._is_first = False
        return allowed


class Assessor:
    """Computes fidelity. Belongs to one thread."""

    def __init__(
        self,
        blobs: BlobStore,
        images: ExplanationImages,
        store: ExplanationStore,
        cache: OcclusionCache,
        *,
        embedder_of: Callable[[str], BackboneEmbedder],
    ) -> None:
        """Keep units in a blob store; `embedder_of` loads the model of a digest."""
        self._blobs = blobs
        self._images = images
        self._store = store
        self._cache = cache
        self._embedder_of = embedder_of
        self._control_orders: dict[int, tuple[IntArray, ...]] = {}

    def assess(self, asked: Asked, maps: Sequence[KeptMap], others: Sequence[Float32Array]) -> list[Fidelity] | None:
        """Return what maps are worth, or None if there is more to compute: call it again.

        Args:
            asked: The explanation.
            maps: Its maps.
            others: For each map the embedding of the image that it does not lie on, `[D]`, unit.

        Raises:
            ItemNotFoundError: If an image is gone.
            ExplanationNotFoundError: If the explanation is.
            ModelNotFoundError: If the model is not here.
            EmbeddingCorruptError: If what is stored cannot be used.
        """
        budget = _Budget(UNIT_SECONDS)
        figures = []
        for kept, other in zip(maps, others, strict=True):
            fidelity = self._assess(asked, kept, other, budget)
            if fidelity is None:
                return None
            figures.append(fidelity)
        for key in list(self._blobs.list(self._own_prefix(asked))):
            self._blobs.delete(key)
        return figures

    def _assess(self, asked: Asked, kept: KeptMap, other: Float32Array, budget: _Budget) -> Fidelity | None:
        request, side = asked.request, kept.saliency.explained_image
        image = image_on(request, side)
        is_query = image.kind is not ImageKind.ITEM
        embedder = self._embedder_of(request.model)
        pixels = self._images.input(image.digest, request.preprocessing, is_query=is_query)
        subject = embedder.normalized(pixels[None])[0]
        order = pixel_order(kept.saliency.values)
        own = f"{self._own_prefix(asked)}{side}/"
        keep_own = partial(self._keep_own, asked)
        wanted = [(f"{own}{STEP}/", order, STEP, keep_own)]
        if request.published_fidelity:
            wanted.append((f"{own}{PUBLISHED_STEP}/", order, PUBLISHED_STEP, keep_own))
        root = f"{keys.query(image.digest)}controls/" if is_query else keys.occlusion(image.digest)
        controls = f"{root}{_controls_key(request.model, request.preprocessing)}/"
        orders = self._controls(request.size)
        size = len(orders) * len(Change) * stage_count(subject, STEP) * other.nbytes
        have = partial(self._cache.open_new, NewEntry(controls, image.digest, is_query, size_bytes=size))
        have()
        keep_control = partial(self._keep_control, controls, have)
        wanted += [(f"{controls}{n}/", each, STEP, keep_control) for n, each in enumerate(orders)]
        computed = []
        for prefix, each, step, keep in wanted:
            curves_of = [_Curve(f"{prefix}{change}", each, change, step, keep) for change in Change]
            series = self._series(curves_of, subject, embedder, budget)
            if series is None:
                return None
            curves = series.curves(other)
            computed.append(Areas(area(curves.insertion), area(curves.deletion)))
        published = computed.pop(1) if request.published_fidelity else None
        areas, *control_areas = computed
        fidelity = tuple(control.fidelity for control in control_areas)
        return Fidelity(areas, fidelity, verdict(areas.fidelity, fidelity), published)

    def _series(
        self, curves: Sequence[_Curve], image: Float32Array, embedder: BackboneEmbedder, budget: _Budget
    ) -> Series | None:
        embedded: dict[Change, Float32Array] = {}
        for curve in curves:
            parts = []
            for unit in self._units(curve, image, embedder, budget):
                if unit is None:
                    return None
                parts.append(unit)
            embedded[curve.change] = np.concatenate(parts)
        return Series(insertion=embedded[Change.INSERTION], deletion=embedded[Change.DELETION])

    def _units(
        self, curve: _Curve, image: Float32Array, embedder: BackboneEmbedder, budget: _Budget
    ) -> Iterator[Float32Array | None]:
        """Yield the embeddings of a curve's units, and None instead of the first that there is no time for.

        `image` is as its model sees it, `[3, S, S]`.
        """
        count = stage_count(image, curve.step)
        for first in range(0, count, STAGES_PER_UNIT):
            stages = range(first, min(first + STAGES_PER_UNIT, count))
            key = f"{curve.prefix}-{first:04d}"
            there = self._unit(key, len(stages))
            if there is None and not budget.allows_one():
                yield None
                return
            if there is None:
                embed = embedder.embed_normalized
                there = embedded_stages(image, curve.order, curve.change, stages, embed=embed, step=curve.step)
                curve.keep(key, there)
            yield there

    def _keep_own(self, asked: Asked, key: str, unit: Float32Array) -> None:
        """Store a unit of an explanation's own curves, and leave nothing of one that was deleted meanwhile.

        Raises:
            ExplanationNotFoundError: If it was.
        """
        put_array(self._blobs, key, unit)
        if not self._store.has(asked):
            self._blobs.delete(key)
            raise ExplanationNotFoundError("the explanation was deleted meanwhile", field="name")

    def _keep_control(self, location: str, have: Callable[[], None], key: str, unit: Float32Array) -> None:
        """Store a unit of a control's curves; one that was deleted meanwhile is not kept.

        Raises:
            ItemNotFoundError: If its image was deleted, not only the unit evicted.
        """
        put_array(self._blobs, key, unit)
        if not self._cache.exists(location):
            self._blobs.delete(key)
            have()

    def _unit(self, key: str, stages: int) -> Float32Array | None:
        try:
            array = get_array(self._blobs, key)
        except EmbeddingCorruptError:
            return None
        is_usable = array is not None and array.dtype == np.float32 and array.ndim == 2 and len(array) == stages
        return array if is_usable else None

    def _controls(self, size: int) -> tuple[IntArray, ...]:
        if size not in self._control_orders:
            self._control_orders[size] = tuple(map(pixel_order, control_fields(size, seed=CONTROL_SEED)))
        return self._control_orders[size]

    def _own_prefix(self, asked: Asked) -> str:
        return f"{keys.attempt(asked.request.explanation, asked.attempt)}curves/"


def _controls_key(model: str, preprocessing: str) -> str:
    parts = f"controls/{model}/{preprocessing}/{CONTROL_SEED}/{STEP}"
    return hashlib.sha256(parts.encode()).hexdigest()
