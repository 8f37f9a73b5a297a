"""From prepared images to unit embeddings."""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.models.artifact import GRAPH, WEIGHTS, ModelArtifact, corrupt
from xmirad.models.backbone import Backbone
from xmirad.models.canonical import generated_image
from xmirad.models.openvino_backbone import OpenVINOBackbone, machine_kind
from xmirad.models.tuning import read_tuning, usual
from xmirad.types import Float32Array, UInt8Array, UntrainedFeatures

BATCH_SIZE = 16
CANONICAL_TOLERANCE = 1e-5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A linear layer on pooled features.

    Attributes:
        weight: `[D, C]`.
        bias: `[D]`.
    """

    weight: Float32Array
    bias: Float32Array


class Embedder(ABC):
    """Turns prepared images into unit embeddings; may be called from several threads at once."""

    def __init__(self, artifact: ModelArtifact) -> None:
        """Keep the model."""
        self.artifact = artifact

    def embed(self, pixels: UInt8Array, *, waited_for: bool = False) -> Float32Array:
        """Return the embeddings of prepared images, one forward pass each.

        An image's embedding does not depend on the images beside it.

        Args:
            pixels: uint8 RGB, `[N, S, S, 3]`, 0 to 255, prepared by the model's recipe; N may be 0.
            waited_for: A reader waits for it: soon is better than cheaply. The bits are the same.

        Returns:
            `[N, D]`, rows of L2 norm 1.

        Raises:
            InvalidRequestError: If the array is of another type or shape.
            EmbeddingCorruptError: If an embedding is not finite or zero.
        """
        self._check(pixels)
        embeddings = np.empty((len(pixels), self.artifact.embedding_size), dtype=np.float32)
        for start in range(0, len(pixels), BATCH_SIZE):
            normalized = self.normalized(pixels[start : start + BATCH_SIZE])
            embeddings[start : start + BATCH_SIZE] = self.embed_normalized(normalized, waited_for=waited_for)
        return embeddings

    def normalized(self, pixels: UInt8Array) -> Float32Array:
        """Return prepared images as the network sees them, `[N, 3, S, S]`.

        Args:
            pixels: uint8 RGB, `[N, S, S, 3]`, prepared by the model's recipe.

        Raises:
            InvalidRequestError: If the array is of another type or shape.
        """
        self._check(pixels)
        recipe = self.artifact.preprocessing
        normalized = np.empty((len(pixels), 3, recipe.crop_size, recipe.crop_size), dtype=np.float32)
        for image, out in zip(pixels, normalized, strict=True):
            recipe.normalize(image, out)
        return normalized

    def embed_normalized(self, normalized: Float32Array, *, waited_for: bool = False) -> Float32Array:
        """Return the embeddings of normalized images, one forward pass each.

        Args:
            normalized: `[N, 3, S, S]`.
            waited_for: See `embed`.

        Returns:
            `[N, D]`, rows of L2 norm 1.

        Raises:
            EmbeddingCorruptError: If an embedding is not finite or zero.
        """
        return unit_rows(self._features(normalized, waited_for=waited_for))

    def _check(self, pixels: UInt8Array) -> None:
        side = self.artifact.preprocessing.crop_size
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (side, side, 3):
            raise InvalidRequestError(f"pixels must be uint8 [N, {side}, {side}, 3]", field="pixels")

    @abstractmethod
    def _features(self, normalized: Float32Array, *, waited_for: bool) -> Float32Array:
        """Return what is yet to be normalized, `[N, D]`, for normalized images `[N, 3, S, S]`."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedQuery:
    """What a model makes of an image that is asked with.

    Attributes:
        embedding: `[D]`, of length 1.
        untrained_features: Pooled features before the head, `[C]`, of length 1, or None where the model has none that
            no label has shaped, or its embedding is them.
    """

    embedding: Float32Array
    untrained_features: Float32Array | None = None


class BackboneEmbedder(Embedder):
    """An embedder on any backbone."""

    def __init__(self, artifact: ModelArtifact, backbone: Backbone) -> None:
        """Read the head, if the model has one."""
        super().__init__(artifact)
        self.backbone = backbone
        self.head = read_head(artifact)

    @property
    def at_once(self) -> int:
        """How many images it pays to bring in one call."""
        return self.backbone.at_once

    def embed_query(self, pixels: UInt8Array) -> EmbeddedQuery:
        """Return the embedding of one prepared image that a reader waits for, with the bits that `embed` gives it.

        Args:
            pixels: uint8 RGB, `[1, S, S, 3]`, prepared by the model's recipe.

        Raises:
            InvalidRequestError: If the array is of another type or shape.
            EmbeddingCorruptError: If an embedding is not finite or zero.
        """
        pooled = self.backbone.pooled(self.normalized(pixels), waited_for=True)
        embedding = unit_rows(project(pooled, self.head))[0]
        has_own = self.artifact.untrained_features is UntrainedFeatures.POOLED
        return EmbeddedQuery(embedding, unit_rows(pooled)[0] if has_own else None)

    def activations(self, normalized: Float32Array) -> Float32Array:
        """Return the output of the last convolution for normalized images, `[N, 3, S, S]` to `[N, C, h, w]`."""
        return self.backbone.activations(normalized)

    def _features(self, normalized: Float32Array, *, waited_for: bool) -> Float32Array:
        return project(self.backbone.pooled(normalized, waited_for=waited_for), self.head)


def project(pooled: Float32Array, head: LinearHead | None) -> Float32Array:
    """Return the head's output for pooled features, `[N, C]` to `[N, D]`; without a head the features themselves."""
    if head is None:
        return pooled
    # One row at a time: the bits of a matrix product depend on how many rows there are.
    return np.stack([head.weight @ row + head.bias for row in pooled])


def unit_rows(features: Float32Array) -> Float32Array:
    """Divide each row by its L2 norm.

    Raises:
        EmbeddingCorruptError: If a row is zero or not finite.
    """
    norms = np.array([np.linalg.norm(row.astype(np.float64)) for row in features])
    if not (np.isfinite(norms) & (norms > 0)).all():
        raise EmbeddingCorruptError("the model made an embedding that is zero or not finite")
    unit: Float32Array = (features / norms[:, None]).astype(np.float32)
    return unit


def read_head(artifact: ModelArtifact) -> LinearHead | None:
    """Read the linear head's weights.

    Raises:
        ModelCorruptError: If they are missing or of another shape.
    """
    if artifact.head is None:
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(artifact.path / WEIGHTS, framework="numpy") as file:
            head = LinearHead(weight=file.get_tensor("head.weight"), bias=file.get_tensor("head.bias"))
    except (OSError, SafetensorError) as error:
        raise corrupt(artifact.digest, "the head cannot be read") from error
    size = artifact.head.size
    if head.weight.shape != (size, artifact.document.definition.output.channels) or head.bias.shape != (size,):
        raise corrupt(artifact.digest, "the head is of another shape")
    return head


def check_canonical(embedder: Embedder) -> None:
    """Check that an embedder makes the model's canonical embedding.

    Raises:
        ModelCorruptError: If a component differs by more than 1e-5.
    """
    artifact = embedder.artifact
    expected = np.array(artifact.canonical.embedding, dtype=np.float32)
    if expected.shape != (artifact.embedding_size,):
        raise corrupt(artifact.digest, "the canonical embedding is of another size")
    image = generated_image(artifact.canonical.image, artifact.preprocessing.crop_size)
    difference = float(np.abs(embedder.embed(image[None])[0] - expected).max())
    if difference > CANONICAL_TOLERANCE:
        raise corrupt(artifact.digest, f"the canonical embedding differs by {difference:.1e}")


def load_embedder(artifact: ModelArtifact, *, threads: int, tuned: bool = False) -> BackboneEmbedder:
    """Load a model for the CPU, checking its files and its canonical embedding; never imports torch.

    Args:
        artifact: The model.
        threads: How many threads the network has.
        tuned: Whether to run many images as was measured to be fastest, where that was measured and a batch makes the
            bits of single images.

    Raises:
        ModelCorruptError: If a file was altered, or the model does not make its canonical embedding.
    """
    artifact.verify_files()
    side = artifact.preprocessing.crop_size
    tuning = read_tuning(artifact, machine_kind(), threads=threads) if tuned else usual(threads)
    backbone = OpenVINOBackbone(artifact.path / GRAPH, input_size=side, threads=threads, tuning=tuning)
    if not makes_same_bits(artifact, backbone, batch=tuning.batch):
        _log.warning("model.tuning_refused", extra={"model_digest": artifact.digest, "batch": tuning.batch})
        backbone = OpenVINOBackbone(artifact.path / GRAPH, input_size=side, threads=threads)
    return checked_embedder(artifact, backbone)


def makes_same_bits(artifact: ModelArtifact, backbone: Backbone, *, batch: int) -> bool:
    """Return whether copies of the canonical image in a batch have, bit by bit, the features of one alone."""
    if batch == 1:
        return True
    recipe = artifact.preprocessing
    image = recipe.normalize(generated_image(artifact.canonical.image, recipe.crop_size))[None]
    alone = backbone.pooled(image)
    together = backbone.pooled(np.repeat(image, batch, axis=0))
    return together.tobytes() == batch * alone.tobytes()


def checked_embedder(artifact: ModelArtifact, backbone: Backbone) -> BackboneEmbedder:
    """Return a model on a backbone that makes its canonical embedding.

    Raises:
        ModelCorruptError: If it does not.
    """
    embedder = BackboneEmbedder(artifact, backbone)
    check_canonical(embedder)
    return embedder
