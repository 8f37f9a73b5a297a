from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from support.models import made_up_model
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError, ModelCorruptError
from xmirad.imaging.preprocessing import Interpolation, Preprocessing
from xmirad.models.artifact import WEIGHTS, ModelArtifact
from xmirad.models.embedder import BackboneEmbedder, check_canonical
from xmirad.types import Float32Array, UInt8Array

SIDE = 4
RECIPE = Preprocessing(SIDE, Interpolation.BILINEAR, SIDE, (10.0, 20.0, 30.0), (2.0, 4.0, 8.0))


class ChannelSums:
    """A backbone whose activations are the normalized image itself, and a fourth channel that is given."""

    def __init__(self, fourth: float = 1.0) -> None:
        self.fourth = fourth
        self.batches: list[int] = []

    def activations(self, normalized: Float32Array) -> Float32Array:
        self.batches.append(len(normalized))
        fourth = np.full((len(normalized), 1, SIDE, SIDE), self.fourth, np.float32)
        return np.concatenate([normalized, fourth], axis=1)

    at_once = 4

    def pooled(self, normalized: Float32Array, *, waited_for: bool = False) -> Float32Array:
        means: Float32Array = self.activations(normalized).mean(axis=(2, 3))
        return means


def images(count: int) -> UInt8Array:
    return np.random.default_rng(5).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def model(folder: Path, *, head_size: int | None = None) -> ModelArtifact:
    return made_up_model(folder, channels=4, head_size=head_size, recipe=RECIPE)


def test_an_embedding_is_normalized_pooled_and_of_unit_length(tmp_path: Path) -> None:
    pixels = images(3)

    embeddings = BackboneEmbedder(model(tmp_path), ChannelSums()).embed(pixels)

    assert embeddings.dtype == np.float32
    for image, embedding in zip(pixels, embeddings, strict=True):
        channels = (image.astype(float).mean(axis=(0, 1)) - [10, 20, 30]) / [2, 4, 8]
        expected = np.append(channels, 1.0)
        np.testing.assert_allclose(embedding, expected / np.sqrt((expected**2).sum()), atol=1e-6)


def test_a_head_projects_the_pooled_features(tmp_path: Path) -> None:
    artifact = model(tmp_path, head_size=2)
    weight = np.array([[1, 0, 0, 2], [0, -1, 3, 0]], np.float32)
    bias = np.array([0.5, -4], np.float32)
    save_file({"head.weight": weight, "head.bias": bias}, artifact.path / WEIGHTS)
    pixels = images(2)

    embeddings = BackboneEmbedder(artifact, ChannelSums()).embed(pixels)

    pooled = BackboneEmbedder(model(tmp_path / "plain"), ChannelSums()).embed(pixels)
    scale = 1 / pooled[:, 3:]  # the fourth channel is 1, so this undoes the normalization
    expected = (pooled * scale) @ weight.T + bias
    np.testing.assert_allclose(embeddings, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_a_head_of_another_shape_is_refused(tmp_path: Path) -> None:
    artifact = model(tmp_path, head_size=2)
    save_file(
        {"head.weight": np.zeros((2, 5), np.float32), "head.bias": np.zeros(2, np.float32)}, artifact.path / WEIGHTS
    )

    with pytest.raises(ModelCorruptError, match="another shape"):
        BackboneEmbedder(artifact, ChannelSums())


def test_a_head_that_is_missing_is_refused(tmp_path: Path) -> None:
    artifact = model(tmp_path, head_size=2)

    with pytest.raises(ModelCorruptError, match="head cannot be read"):
        BackboneEmbedder(artifact, ChannelSums())


@pytest.mark.parametrize("count", [0, 1, 16, 17, 40])
def test_large_batches_are_split_and_keep_their_order(tmp_path: Path, count: int) -> None:
    backbone = ChannelSums()
    embedder = BackboneEmbedder(model(tmp_path), backbone)
    pixels = images(count)

    embeddings = embedder.embed(pixels)

    assert embeddings.shape == (count, 4)
    assert max(backbone.batches, default=0) <= 16
    for image, embedding in zip(pixels, embeddings, strict=True):
        np.testing.assert_array_equal(embedder.embed(image[None])[0], embedding)


@pytest.mark.parametrize(
    "pixels",
    [
        images(1)[0],
        images(1).astype(np.float32),
        images(1)[:, :-1],
        images(1)[..., :1],
        images(1).transpose(0, 3, 1, 2),
    ],
)
def test_arrays_that_are_no_prepared_images_are_refused(tmp_path: Path, pixels: UInt8Array) -> None:
    with pytest.raises(InvalidRequestError, match=r"uint8 \[N, 4, 4, 3\]"):
        BackboneEmbedder(model(tmp_path), ChannelSums()).embed(pixels)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_embedding_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(EmbeddingCorruptError):
        BackboneEmbedder(model(tmp_path), ChannelSums(fourth=value)).embed(images(2))


def test_an_embedding_that_is_zero_is_refused(tmp_path: Path) -> None:
    pixels = images(3)
    pixels[1] = (10, 20, 30)  # the mean, so that all normalized values are 0

    with pytest.raises(EmbeddingCorruptError):
        BackboneEmbedder(model(tmp_path), ChannelSums(fourth=0)).embed(pixels)


def test_an_engine_that_makes_another_canonical_embedding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelCorruptError, match="canonical embedding differs"):
        check_canonical(BackboneEmbedder(model(tmp_path), ChannelSums()))
