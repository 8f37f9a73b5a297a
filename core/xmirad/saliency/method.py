"""The contract of saliency methods: what goes in, what comes out, and what is checked on the way."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import ClassVar

import numpy as np

from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.saliency.scoring import MaskedEmbeddings
from xmirad.types import Float32Array

UNIT_TOLERANCE = 1e-5


class ExplainedImage(StrEnum):
    """Which image of a pair the map lies on."""

    QUERY = "query"
    RESULT = "result"
    BOTH = "both"

    @property
    def sides(self) -> tuple["ExplainedImage", ...]:
        """The single images meant."""
        both = (ExplainedImage.QUERY, ExplainedImage.RESULT)
        return both if self is ExplainedImage.BOTH else (self,)

    @property
    def other(self) -> "ExplainedImage":
        """The other image of the pair, for QUERY and RESULT."""
        return ExplainedImage.RESULT if self is ExplainedImage.QUERY else ExplainedImage.QUERY


class Role(Enum):
    """What an image is to one map."""

    EXPLAINED = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of one image; a method says what it needs.

    Attributes:
        embedding: `[D]`, unit.
        activations: Output of the last convolution, `[C, h, w]`.
        masked: Its masked copies, in the order of the lattice's walk: all of them, or those of the first levels.
    """

    embedding: Float32Array
    activations: Float32Array | None = None
    masked: MaskedEmbeddings | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SaliencyMap:
    """Why an image was found, pixel by pixel.

    Attributes:
        values: `[S, S]`; 0 is neutral, the meaning of the rest is the method's.
        explained_image: QUERY or RESULT, the image that the map lies on.
        signed: Whether values below 0 carry meaning; else there are none.
        exact: False for a preview.
        estimated_error: How far a preview may be off, as a fraction of the largest response; None if not known.
        error_five_sigma: Five standard deviations of an exact map's error by coding, as a fraction of its largest
            absolute value: what it can be expected to stay below, not a bound. 0 where nothing was coded.
        preview_errors: How far the previews before an exact map were off, coarsest first, in the terms of
            `estimated_error`.
    """

    values: Float32Array
    explained_image: ExplainedImage
    signed: bool = False
    exact: bool = True
    estimated_error: float | None = None
    error_five_sigma: float = 0.0
    preview_errors: tuple[float, ...] = ()


class SaliencyMethod(ABC):
    """A way to explain why a result was found for a query."""

    needs_activations: ClassVar[frozenset[Role]] = frozenset()
    """Whose activations are needed."""
    needs_masked: ClassVar[bool] = False
    """Whether the explained image's masked copies are needed."""

    def explain(
        self, query: Evidence, result: Evidence, *, explained_image: ExplainedImage = ExplainedImage.RESULT
    ) -> tuple[SaliencyMap, ...]:
        """Return the maps of a pair, that of the query first.

        Args:
            query: The image asked with.
            result: The image found.
            explained_image: Which maps are wanted.

        Raises:
            InvalidRequestError: If something that the method needs is missing or of another shape.
            EmbeddingCorruptError: If an embedding is no unit vector, or activations are not finite.
        """
        check_embeddings(query=query.embedding, result=result.embedding)
        for side in explained_image.sides:
            self._check(query, result, side)
        return tuple(self._map(query, result, side) for side in explained_image.sides)

    @abstractmethod
    def _map(self, query: Evidence, result: Evidence, side: ExplainedImage) -> SaliencyMap:
        """Return the map on one image of a pair that was checked."""

    def _check(self, query: Evidence, result: Evidence, side: ExplainedImage) -> None:
        explained, other = roles(query, result, side)
        if Role.EXPLAINED in self.needs_activations:
            last_activations(explained, side)
        if Role.OTHER in self.needs_activations:
            last_activations(other, side.other)
        if self.needs_masked:
            check_size(side, masked_copies(explained, side).embedding_size, explained.embedding.size)


def roles(query: Evidence, result: Evidence, side: ExplainedImage) -> tuple[Evidence, Evidence]:
    """Return the explained image and the other one."""
    return (query, result) if side is ExplainedImage.QUERY else (result, query)


def masked_copies(evidence: Evidence, image: ExplainedImage) -> MaskedEmbeddings:
    """Return an image's masked copies.

    Raises:
        InvalidRequestError: If there are none.
    """
    if evidence.masked is None:
        raise InvalidRequestError(f"the {image} has no masked copies", field="explained_image")
    return evidence.masked


def last_activations(evidence: Evidence, image: ExplainedImage) -> Float32Array:
    """Return an image's activations.

    Raises:
        InvalidRequestError: If there are none, or they are of another shape.
        EmbeddingCorruptError: If they are not finite.
    """
    activations = evidence.activations
    if activations is None:
        raise InvalidRequestError(f"the {image} has no activations", field="explained_image")
    if activations.ndim != 3 or 0 in activations.shape:
        raise InvalidRequestError(f"activations of the {image} must be [C, h, w]", field=image)
    if not np.isfinite(activations).all():
        raise EmbeddingCorruptError(f"activations of the {image} must be finite")
    return activations


def check_embeddings(**embeddings: Float32Array) -> None:
    """Check that named embeddings are unit vectors of one size.

    Raises:
        InvalidRequestError: If one is of another size than the first.
        EmbeddingCorruptError: If one is not finite or not of length 1.
    """
    first = next(iter(embeddings.values()))
    for name, embedding in embeddings.items():
        if embedding.ndim != 1:
            raise InvalidRequestError(f"{name} must have one embedding", field=name)
        check_size(name, embedding.size, first.size)
        length = np.linalg.norm(embedding.astype(np.float64))
        if not abs(length - 1.0) <= UNIT_TOLERANCE:  # NaN counts as wrong
            raise EmbeddingCorruptError(f"the embedding of {name} must be finite and of length 1")


def check_size(name: str, size: int, expected: int) -> None:
    """Check the length of an embedding.

    Raises:
        InvalidRequestError: If it is not the expected one.
    """
    if size != expected:
        metadata = {"embedding_size": str(expected), "size": str(size)}
        raise InvalidRequestError(f"{name} must have embeddings of {expected} values", field=name, metadata=metadata)
