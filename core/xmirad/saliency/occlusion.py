"""Occlusion maps: what happens to the distance when a part of an image is hidden.

Similarity-based saliency maps of Dong et al., "Explainability for Content-Based Image Retrieval" (CVPR Workshops 2019),
as used by Hu, Vasu and Hoogs, "X-MIR" (WACV 2022). Deviations: either image can be the explained one (the paper hides
parts of the result, with the query fixed); the map can keep its sign; values are distances, never scaled to a map's own
maximum, so that maps of several results can be compared.

The map of an image paired with itself is the paper's self-saliency: how much the embedding depends on each part.
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.saliency.aggregation import aggregated, aggregated_deviations
from xmirad.saliency.lattice import Float64Array, WindowLattice
from xmirad.saliency.levels import Level, levels, walk
from xmirad.saliency.method import (
    Evidence,
    ExplainedImage,
    SaliencyMap,
    SaliencyMethod,
    check_embeddings,
    masked_copies,
    roles,
)
from xmirad.saliency.preview import clamped, estimated_error, interpolated, preview_errors
from xmirad.saliency.scoring import MaskedEmbeddings, distance_increases
from xmirad.types import Float32Array

ERROR_DEVIATIONS = 5.0
"""Standard deviations of coding within which every pixel of a map lies, but for fewer than one map in a thousand."""


class WindowMethod(SaliencyMethod):
    """A method that makes one response of each window.

    It gives a preview if the masked copies are those of the first levels only.
    """

    needs_masked: ClassVar[bool] = True
    distances: ClassVar[int]
    """How many distances make a response; their errors add up at worst."""

    def __init__(self, lattice: WindowLattice, *, signed: bool) -> None:
        """Keep where the windows lie, and whether negative responses are kept."""
        self._lattice = lattice
        self._signed = signed

    @abstractmethod
    def _responses(
        self, query: Evidence, result: Evidence, side: ExplainedImage, masked: MaskedEmbeddings
    ) -> Float64Array:
        """Return the signed response of each masked copy, `[N]`, in the order of the walk."""

    def _map(self, query: Evidence, result: Evidence, side: ExplainedImage) -> SaliencyMap:
        masked = masked_copies(roles(query, result, side)[0], side)
        level = self._level(masked.windows)
        responses = self._responses(query, result, side, masked)
        grid = clamped(interpolated(self._lattice, level, responses), signed=self._signed)
        values = aggregated(self._lattice, grid)
        if level.windows < self._lattice.windows:
            error = estimated_error(self._lattice, level, responses, signed=self._signed)
            return SaliencyMap(values, side, signed=self._signed, exact=False, estimated_error=error)
        return SaliencyMap(
            values,
            side,
            signed=self._signed,
            error_five_sigma=self._coding_error(masked, values),
            preview_errors=preview_errors(self._lattice, responses, signed=self._signed),
        )

    def _level(self, windows: int) -> Level:
        for level in levels(self._lattice):
            if level.windows == windows:
                return level
        metadata = {"windows": str(windows), "expected": str(self._lattice.windows)}
        raise InvalidRequestError("the masked copies are those of no level", field="windows", metadata=metadata)

    def _coding_error(self, masked: MaskedEmbeddings, values: Float32Array) -> float:
        count = self._lattice.per_axis
        deviations = np.zeros((count, count))
        deviations.flat[walk(self._lattice)] = masked.likely_errors() * self.distances
        error = ERROR_DEVIATIONS * float(aggregated_deviations(self._lattice, deviations).max())
        largest = float(np.abs(values).max())
        return error / largest if largest > 0 else 0.0


class Occlusion(WindowMethod):
    """How much farther the images are when a part of the explained one is hidden; in distance of unit embeddings.

    Positive: this part makes the images alike. With `signed`, negative: this part tells them apart.
    """

    distances: ClassVar[int] = 1

    def __init__(self, lattice: WindowLattice, *, signed: bool = False) -> None:
        """Keep where the windows lie, and whether negative responses are kept."""
        super().__init__(lattice, signed=signed)

    def _responses(
        self, query: Evidence, result: Evidence, side: ExplainedImage, masked: MaskedEmbeddings
    ) -> Float64Array:
        explained, other = roles(query, result, side)
        responses: Float64Array = distance_increases(other.embedding[None], explained.embedding, masked)[0]
        return responses


class Contrast(WindowMethod):
    """Why result A comes before another result B; always signed, in distance of unit embeddings.

    On the query: how much more hiding a part moves it away from A than from B. Positive: this part speaks for A;
    negative: for B. On A itself, which B does not enter into: the signed occlusion map of A.

    A pair whose result shows the same image as B is refused with an InvalidRequestError.
    """

    distances: ClassVar[int] = 2

    def __init__(self, lattice: WindowLattice, *, contrast: Float32Array) -> None:
        """Keep where the windows lie, and the embedding of B, `[D]`, unit."""
        super().__init__(lattice, signed=True)
        self._contrast = contrast

    def _responses(
        self, query: Evidence, result: Evidence, side: ExplainedImage, masked: MaskedEmbeddings
    ) -> Float64Array:
        check_embeddings(result=result.embedding, contrast_item=self._contrast)
        if np.array_equal(result.embedding, self._contrast):
            raise InvalidRequestError("the contrast item shows the same image as the result", field="contrast_item")
        if side is ExplainedImage.RESULT:
            on_result: Float64Array = distance_increases(query.embedding[None], result.embedding, masked)[0]
            return on_result
        both = np.stack([result.embedding, self._contrast])
        to_result, to_contrast = distance_increases(both, query.embedding, masked)
        on_query: Float64Array = to_result - to_contrast
        return on_query
