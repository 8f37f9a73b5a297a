"""Exact occlusion maps of real X-rays with the served network, against loops that share nothing with the product."""

from pathlib import Path

import numpy as np
import pytest

from support.models import lite0_artifact
from support.saliency import slow_map, slow_responses, slow_windows, unit
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.models.embedder import BackboneEmbedder, load_embedder
from xmirad.saliency.codec import Codec, encode
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import walk
from xmirad.saliency.masking import WindowMasker, fill_for
from xmirad.saliency.method import Evidence
from xmirad.saliency.occlusion import Occlusion
from xmirad.saliency.scoring import PlainDifferences
from xmirad.types import EncodedImage, Float32Array, UInt8Array

X_RAYS = 10
NEUTRAL_GRAY = 127  # zero after this model's normalization


@pytest.fixture(scope="module")
def embedder() -> BackboneEmbedder:
    loaded = load_embedder(lite0_artifact(), threads=2)
    assert isinstance(loaded, BackboneEmbedder)
    return loaded


@pytest.fixture(scope="module")
def x_rays(real_data: Path, embedder: BackboneEmbedder) -> UInt8Array:
    files = sorted((real_data / "covidx" / "test").iterdir())
    chosen = files[:: len(files) // X_RAYS][:X_RAYS]
    recipe = embedder.artifact.preprocessing
    return np.stack([decode_image(EncodedImage(file.read_bytes()), recipe, DecodeLimits()).pixels for file in chosen])


def masked_embeddings(embedder: BackboneEmbedder, pixels: UInt8Array, lattice: WindowLattice) -> Float32Array:
    """Return the embeddings of all masked copies in the order of the walk."""
    image = embedder.artifact.preprocessing.normalize(pixels)
    masker = WindowMasker(lattice, image, fill=fill_for(image), batch_size=8)
    return np.concatenate([unit(embedder.backbone.pooled(batch)) for batch in masker.batches(walk(lattice))])


def slow_masked_embeddings(embedder: BackboneEmbedder, pixels: UInt8Array, lattice: WindowLattice) -> Float32Array:
    """Return the embeddings of all masked copies row by row, masked as bytes and embedded like any image."""
    embeddings = []
    for top, bottom, left, right in slow_windows(lattice):
        copy = pixels.copy()
        copy[top:bottom, left:right] = NEUTRAL_GRAY
        embeddings.append(embedder.embed(copy[None])[0])
    return np.array(embeddings)


def test_an_exact_map_of_two_x_rays_equals_the_loops(embedder: BackboneEmbedder, x_rays: UInt8Array) -> None:
    lattice = WindowLattice(size=224, window=24, stride=16)
    query, result = embedder.embed(x_rays[:2])
    responses = slow_responses(query, result, slow_masked_embeddings(embedder, x_rays[1], lattice))
    expected = slow_map(lattice, np.maximum(responses, 0))

    differences = masked_embeddings(embedder, x_rays[1], lattice) - result
    (saliency,) = Occlusion(lattice).explain(Evidence(query), Evidence(result, masked=PlainDifferences(differences)))

    error = np.abs(saliency.values - expected).max() / expected.max()
    print(f"{lattice.windows} windows, maximum {expected.max():.4f}, difference {error:.1e} of it")
    assert error <= 1e-4


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_coded_maps_of_ten_x_rays_and_ten_queries_keep_their_errors(
    embedder: BackboneEmbedder, x_rays: UInt8Array
) -> None:
    lattice = WindowLattice(size=224, stride=10)  # a quarter of the windows: fewer to average, so errors are larger
    embeddings = embedder.embed(x_rays)
    errors: dict[Codec, list[float]] = {codec: [] for codec in Codec}
    stated: dict[Codec, list[float]] = {codec: [] for codec in Codec}
    for pixels, result in zip(x_rays, embeddings, strict=True):
        masked = masked_embeddings(embedder, pixels, lattice)
        plain = Evidence(result, masked=PlainDifferences(masked - result))
        for codec in Codec:
            coded = Evidence(result, masked=encode(masked, result, codec))
            for query in embeddings:
                (exact,) = Occlusion(lattice).explain(Evidence(query), plain)
                (saliency,) = Occlusion(lattice).explain(Evidence(query), coded)
                errors[codec].append(float(np.abs(saliency.values - exact.values).max() / exact.values.max()))
                stated[codec].append(saliency.error_five_sigma)

    for codec in Codec:
        medians = np.median(errors[codec]), np.median(stated[codec])
        print(f"{codec}: median {medians[0]:.1e} (stated {medians[1]:.1e}), worst {max(errors[codec]):.1e}")
        assert len(errors[codec]) == X_RAYS**2
        assert max(errors[codec]) <= codec.allowed_error
        assert all(error <= limit for error, limit in zip(errors[codec], stated[codec], strict=True))
