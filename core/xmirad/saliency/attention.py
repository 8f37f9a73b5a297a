"""Attention maps: which activations drive the components in which images agree or differ.

SimAtt of Zheng et al., "Learning Similarity Attention" (arXiv 1911.07381), in the form that Hu, Vasu and Hoogs, "X-MIR"
(WACV 2022) released. With unit embeddings a (anchor, the query), p (positive) and n (negative):

    w     = product over positives of (1 - |a - p|) and over negatives of |a - n|, component by component
    s     = w . |f|,  f the features of the explained image before the L2 norm
    alpha = average over places of ds/dA_k
    M     = max(0, sum_k alpha_k A_k), bilinear to the size of the image

All of it is closed: with f = W mean(A) + b, alpha_k = sum_d sign(f_d) w_d W_dk / (h w), so no gradients are computed.
Deviations of the release from the paper that are kept: weights from unit, scores from unscaled features, no gradient
through the norm or the weights. Deviations from the release: the negative form is offered (it only ever used the
positive one, even for wrong results), both sides are, and the rectification takes effect.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.saliency.features import Head, check_agreement, local_shares
from xmirad.saliency.interpolation import enlarged
from xmirad.saliency.lattice import Float64Array
from xmirad.saliency.method import (
    Evidence,
    ExplainedImage,
    Role,
    SaliencyMap,
    SaliencyMethod,
    check_embeddings,
    last_activations,
    roles,
)
from xmirad.types import Float32Array


class AttentionForm(StrEnum):
    """Which images are compared with the query."""

    SIAMESE_POSITIVE = "siamese_positive"
    SIAMESE_NEGATIVE = "siamese_negative"
    TRIPLET = "triplet"
    QUADRUPLET = "quadruplet"


_COUNTS = {
    AttentionForm.SIAMESE_POSITIVE: (1, 0),
    AttentionForm.SIAMESE_NEGATIVE: (0, 1),
    AttentionForm.TRIPLET: (1, 1),
    AttentionForm.QUADRUPLET: (1, 2),
}


class Attention(SaliencyMethod):
    """Where the network looks for what makes the query like its positives and unlike its negatives.

    Values are at least 0, in units of features; only their pattern within one map has a meaning. Pairs whose result is
    neither among the positives nor among the negatives are refused with an InvalidRequestError.
    """

    needs_activations: ClassVar[frozenset[Role]] = frozenset({Role.EXPLAINED})

    def __init__(
        self,
        form: AttentionForm,
        *,
        positives: Sequence[Float32Array] = (),
        negatives: Sequence[Float32Array] = (),
        size: int,
        head: Head | None = None,
    ) -> None:
        """Keep the images that the query is compared with.

        Args:
            form: How many there are of each kind.
            positives: Their unit embeddings, `[D]` each.
            negatives: Their unit embeddings, `[D]` each.
            size: Width and height of the map in pixels.
            head: The model's linear head, if it has one.

        Raises:
            InvalidRequestError: If there are more or fewer than the form takes.
        """
        for field, given, count in zip(
            ("positive_items", "negative_items"), (positives, negatives), _COUNTS[form], strict=True
        ):
            if len(given) != count:
                metadata = {"form": form.value, "expected": str(count), "given": str(len(given))}
                raise InvalidRequestError(f"{form} takes {count} {field}", field=field, metadata=metadata)
        self._positives = tuple(positives)
        self._negatives = tuple(negatives)
        self._size = size
        self._head = head

    def _map(self, query: Evidence, result: Evidence, side: ExplainedImage) -> SaliencyMap:
        compared = (*self._positives, *self._negatives)
        check_embeddings(query=query.embedding, **{f"compared item {i + 1}": each for i, each in enumerate(compared)})
        if not any(np.array_equal(result.embedding, each) for each in compared):
            raise InvalidRequestError("the result is none of the items that the query is compared with", field="result")
        explained = roles(query, result, side)[0]
        activations = last_activations(explained, side)
        features = local_shares(activations, self._head).sum(axis=(0, 1))
        check_agreement(features, explained.embedding, name=side)
        slopes = self._channel_slopes(np.sign(features) * self._component_weights(query.embedding), activations)
        coarse = np.maximum(0.0, np.tensordot(slopes, activations.astype(np.float64), axes=1))
        return SaliencyMap(enlarged(coarse, self._size), side)

    def _component_weights(self, anchor: Float32Array) -> Float64Array:
        weights = np.ones(anchor.size)
        for positive in self._positives:
            weights *= 1 - np.abs(anchor.astype(np.float64) - positive)
        for negative in self._negatives:
            weights *= np.abs(anchor.astype(np.float64) - negative)
        return weights

    def _channel_slopes(self, by_component: Float64Array, activations: Float32Array) -> Float64Array:
        by_channel = by_component if self._head is None else by_component @ self._head.weight.astype(np.float64)
        slopes: Float64Array = by_channel / activations[0].size
        return slopes
