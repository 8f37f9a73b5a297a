"""Activation maps: which places of the two images the score is made of.

SimCAM of Zhu et al., "Visual Explanation for Deep Metric Learning" (arXiv 1909.12977), and Stylianou et al.,
"Visualizing Deep Similarity Networks" (WACV 2019). With e1_ij and e2_kl the places' shares of the two images' features
f1 and f2,

    D[ij, kl] = e1_ij . e2_kl / (|f1| |f2|)

sums to the score over all pairs of places: an exact decomposition. (The published D, of features not divided by the
number of places HW, is HW^2 |f1| |f2| times this.) A map sums D over the places of the other image.

Deviations from the code released with X-MIR (WACV 2022): every place carries its right share of the head's bias, which
there is HW times too weak; D is not divided by its maximum, which turns signs around where no pair is positive; maps of
both sides; the signed map, which sums to the score, is available.
"""

from typing import ClassVar

import numpy as np

from xmirad.saliency.features import Head, check_agreement, local_shares
from xmirad.saliency.geometry import Point, check_inside
from xmirad.saliency.interpolation import cell_weights, enlarged
from xmirad.saliency.lattice import Float64Array
from xmirad.saliency.method import (
    Evidence,
    ExplainedImage,
    Role,
    SaliencyMap,
    SaliencyMethod,
    last_activations,
    roles,
)


class Activation(SaliencyMethod):
    """What each place of the explained image contributes to the score; in shares of the score, each of one place.

    Without `signed`, pairs that speak against the likeness count as 0, as published. With a point, only its likeness
    with each place counts: a point on one image lights up its match on the other.
    """

    needs_activations: ClassVar[frozenset[Role]] = frozenset({Role.EXPLAINED, Role.OTHER})

    def __init__(
        self, *, size: int, head: Head | None = None, signed: bool = False, point: Point | None = None
    ) -> None:
        """Keep what is asked.

        Args:
            size: Width and height of the map in pixels.
            head: The model's linear head, if it has one.
            signed: Whether negative contributions are kept.
            point: A place on the image that is not explained, in pixels of the model's input, or None for all.

        Raises:
            InvalidRequestError: If the point lies outside the image.
        """
        if point is not None:
            check_inside(point, height=size, width=size)
        self._size = size
        self._head = head
        self._signed = signed
        self._point = point

    def _map(self, query: Evidence, result: Evidence, side: ExplainedImage) -> SaliencyMap:
        explained, other = roles(query, result, side)
        pairs = np.tensordot(self._shares(explained, side), self._shares(other, side.other), axes=([2], [2]))
        if self._point is None:
            coarse = self._rectified(pairs).sum(axis=(2, 3))
        else:
            coarse = self._rectified(self._at_point(pairs, self._point))
        return SaliencyMap(enlarged(coarse, self._size), side, signed=self._signed)

    def _shares(self, evidence: Evidence, image: ExplainedImage) -> Float64Array:
        """Return each place's share of the unit embedding, `[h, w, D]`."""
        shares = local_shares(last_activations(evidence, image), self._head)
        features = shares.sum(axis=(0, 1))
        check_agreement(features, evidence.embedding, name=image)
        scaled: Float64Array = shares / np.linalg.norm(features)
        return scaled

    def _at_point(self, pairs: Float64Array, point: Point) -> Float64Array:
        """Interpolate pairs `[h, w, H, W]` at a point of the second image, `[h, w]`."""
        rows = cell_weights([point.row], cells=pairs.shape[2], size=self._size)[0]
        columns = cell_weights([point.column], cells=pairs.shape[3], size=self._size)[0]
        at_point: Float64Array = pairs @ columns @ rows
        return at_point

    def _rectified(self, contributions: Float64Array) -> Float64Array:
        return contributions if self._signed else np.maximum(contributions, 0.0)
