"""Whether a map points at what the score comes from: insertion and deletion, against chance.

Petsiuk et al., "RISE" (BMVC 2018), for retrieval as in Hu, Vasu and Hoogs, "X-MIR" (WACV 2022): the other image of the
pair stays as it is, pixels of the explained one are changed in the order of the map, most salient first, and the cosine
of the two embeddings is followed. Deletion sets pixels to zero after normalization, and a good map makes the cosine
fall fast (low area); insertion starts from the blurred image and restores pixels (high area). Fidelity is insertion
area minus deletion area, -1 to 1.

Deviations from the published code: 28 steps of 1,792 pixels instead of 224 of 224 (`PUBLISHED_STEP` gives those); ties
are broken by place, row by row, instead of arbitrarily; the pixels do change, which on a GPU they did not; and a
verdict is given.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.saliency.gaussian import blurred, folded_kernel
from xmirad.saliency.lattice import Float64Array
from xmirad.saliency.levels import IntArray
from xmirad.types import Float32Array

STEP = 1_792
PUBLISHED_STEP = 224
BLUR_LENGTH = 51
BLUR_SIGMA = math.sqrt(50)
BATCH_SIZE = 8

EmbedBatch = Callable[[Float32Array], Float32Array]
"""Embeds normalized images: `[N, 3, S, S]` to unit rows `[N, D]`. It must not keep the images."""


class Change(StrEnum):
    """Which way pixels change."""

    INSERTION = "insertion"
    DELETION = "deletion"


class Verdict(StrEnum):
    """What fidelity says of a map."""

    BETTER_THAN_CHANCE = "better_than_chance"
    NOT_BETTER_THAN_CHANCE = "not_better_than_chance"


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The cosine while pixels change, 0 to 1, from before the first step to after the last.

    Attributes:
        insertion: From the blurred image to the image itself, `[steps + 1]`.
        deletion: From the image itself to zeros, `[steps + 1]`.
    """

    insertion: Float64Array
    deletion: Float64Array

    @property
    def fidelity(self) -> float:
        """Area under insertion minus area under deletion."""
        return area(self.insertion) - area(self.deletion)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Embeddings of an image while its pixels change.

    Attributes:
        insertion: From the blurred image to the image itself, `[steps + 1, D]`, unit rows.
        deletion: From the image itself to zeros, `[steps + 1, D]`, unit rows.
    """

    insertion: Float32Array
    deletion: Float32Array

    def curves(self, other: Float32Array) -> Curves:
        """Return the cosines with the embedding of another image, `[D]`, unit."""
        return Curves(insertion=_cosines(self.insertion, other), deletion=_cosines(self.deletion, other))


def pixel_order(saliency: Float32Array) -> IntArray:
    """Return the pixels of a map, numbered row by row, most salient first; of equal ones the one with the lower number.

    Args:
        saliency: `[S, S]`, finite.

    Returns:
        `[S * S]`.
    """
    return np.argsort(-saliency, axis=None, kind="stable")


def area(scores: Float64Array) -> float:
    """Return the area under a curve by the trapezoid rule, its steps together 1 wide.

    Args:
        scores: `[steps + 1]`, at least two.
    """
    return float(np.trapezoid(scores) / (scores.size - 1))


def curves(image: Float32Array, order: IntArray, *, other: Float32Array, embed: EmbedBatch, step: int = STEP) -> Curves:
    """Follow the cosine of two images while one of them loses and regains its pixels.

    Costs two forward passes for each step, and two more.

    Args:
        image: The explained image, normalized, `[3, S, S]`.
        order: In which order its pixels change, `[S * S]`.
        other: Embedding of the other image, `[D]`, unit.
        embed: Embeds a batch.
        step: How many pixels change at a time.

    Raises:
        InvalidRequestError: If the order is not one of the image's pixels, or the step is less than 1.
    """
    return series(image, order, embed=embed, step=step).curves(other)


def series(image: Float32Array, order: IntArray, *, embed: EmbedBatch, step: int = STEP) -> Series:
    """Embed an image while it loses and regains its pixels; of use for any other image.

    Costs two forward passes for each step, and two more.

    Args:
        image: The explained image, normalized, `[3, S, S]`.
        order: In which order its pixels change, `[S * S]`.
        embed: Embeds a batch.
        step: How many pixels change at a time.

    Raises:
        InvalidRequestError: If the order is not one of the image's pixels, or the step is less than 1.
    """
    stages = range(stage_count(image, step))
    return Series(
        insertion=embedded_stages(image, order, Change.INSERTION, stages, embed=embed, step=step),
        deletion=embedded_stages(image, order, Change.DELETION, stages, embed=embed, step=step),
    )


def stage_count(image: Float32Array, step: int) -> int:
    """Return how many states an image goes through, the first and the last included.

    Raises:
        InvalidRequestError: If the step is less than 1.
    """
    if step < 1:
        raise InvalidRequestError("step must be at least 1", field="step", metadata={"lowest": "1"})
    return int(-(-image[0].size // step)) + 1


def embedded_stages(
    image: Float32Array, order: IntArray, change: Change, stages: range, *, embed: EmbedBatch, step: int = STEP
) -> Float32Array:
    """Embed some states of an image whose pixels change, one forward pass each.

    Args:
        image: The explained image, normalized, `[3, S, S]`.
        order: In which order its pixels change, `[S * S]`.
        change: Which way.
        stages: Which states, of `stage_count`.
        embed: Embeds a batch.
        step: How many pixels change at a time.

    Returns:
        `[len(stages), D]`.

    Raises:
        InvalidRequestError: If the order is not one of the image's pixels.
    """
    if order.size != image[0].size:
        raise InvalidRequestError("the order must name every pixel once", field="order")
    if change is Change.INSERTION:
        start, end = blurred(image, folded_kernel(BLUR_SIGMA, BLUR_LENGTH)), image
    else:
        start, end = image, np.zeros_like(image)
    return np.concatenate([embed(batch) for batch in _changing(start, end, order, step, stages)])


def verdict(fidelity: float, controls: Sequence[float]) -> Verdict:
    """Return whether a map's fidelity is above that of every control.

    Args:
        fidelity: That of the map.
        controls: Those of the control fields on the same pair, with the same steps; at least one.

    Raises:
        InvalidRequestError: If there are no controls.
    """
    if not controls:
        raise InvalidRequestError("a verdict needs controls", field="controls")
    return Verdict.BETTER_THAN_CHANCE if fidelity > max(controls) else Verdict.NOT_BETTER_THAN_CHANCE


def p_value(fidelity: float, controls: Sequence[float]) -> float:
    """Return how likely a map that knows nothing would do as well: (1 + controls that reach it) / (1 + controls).

    That of a permutation test with the controls as draws (Phipson and Smyth, "Permutation P-values should never be
    zero", 2010); with ten controls 1/11 at best.

    Args:
        fidelity: That of the map.
        controls: Those of the control fields on the same pair.
    """
    return (1 + sum(control >= fidelity for control in controls)) / (1 + len(controls))


def verdict_words(fidelity: float, controls: Sequence[float]) -> str:
    """Say in words what a map is worth, with the p-value behind it.

    Args:
        fidelity: That of the map.
        controls: Those of the control fields on the same pair; at least one.

    Raises:
        InvalidRequestError: If there are no controls.
    """
    better = verdict(fidelity, controls) is Verdict.BETTER_THAN_CHANCE
    reached = sum(control >= fidelity for control in controls)
    count = f"above all {len(controls)} controls" if better else f"{reached} of {len(controls)} controls reach it"
    return (
        f"{'better' if better else 'not better'} than chance (p = {p_value(fidelity, controls):.2f}: fidelity "
        f"{fidelity:+.3f}, {count}, the best {max(controls):+.3f})"
    )


def _changing(
    start: Float32Array, end: Float32Array, order: IntArray, step: int, stages: range
) -> Iterator[Float32Array]:
    """Yield batches of ever more changed images. The buffer is used again."""
    current, target = start.reshape(3, -1).copy(), end.reshape(3, -1)
    buffer = np.empty((BATCH_SIZE, *start.shape), dtype=np.float32)
    changed = 0
    for index, number in enumerate(stages):
        pixels = order[changed : number * step]
        current[:, pixels] = target[:, pixels]
        changed = number * step
        slot = index % BATCH_SIZE
        buffer[slot] = current.reshape(start.shape)
        if slot == BATCH_SIZE - 1 or number == stages[-1]:
            yield buffer[: slot + 1]


def _cosines(embeddings: Float32Array, other: Float32Array) -> Float64Array:
    cosines: Float64Array = np.clip(embeddings.astype(np.float64) @ other.astype(np.float64), 0.0, 1.0)
    return cosines
