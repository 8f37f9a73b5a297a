import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.saliency import slow_responses, unit
from xmirad.saliency.codec import Codec, encode
from xmirad.saliency.scoring import PlainDifferences, distance_increases

SIZE = 96


def embeddings(seed: int, *, spread: float, windows: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return five queries, an image near them, and its masked copies."""
    generator = np.random.default_rng(seed)
    image = unit(np.abs(generator.standard_normal(SIZE)))
    queries = unit(image + spread * generator.standard_normal((5, SIZE)))
    masked = unit(image + 0.02 * generator.standard_normal((windows, SIZE)))
    return queries, image, masked


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 1e-4, 0.01, 0.3, 3.0]))
def test_responses_equal_the_float64_oracle(seed: int, spread: float) -> None:
    queries, image, masked = embeddings(seed, spread=spread)
    responses = distance_increases(queries, image, PlainDifferences(masked - image))
    for row, query in zip(responses, queries, strict=True):
        expected = slow_responses(query, image, masked)
        np.testing.assert_allclose(row, expected, atol=1e-4 * np.abs(expected).max())
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_an_image_compared_with_itself_responds_with_the_distances_to_its_masked_copies() -> None:
    _, image, masked = embeddings(0, spread=0.1)
    responses = distance_increases(image[None], image, PlainDifferences(masked - image))[0]
    expected = np.linalg.norm(masked.astype(np.float64) - image.astype(np.float64), axis=1)
    np.testing.assert_allclose(responses, expected, rtol=1e-6)


@pytest.mark.parametrize("codec", [None, *Codec])
def test_responses_have_the_same_bits_alone_and_among_others(codec: Codec | None) -> None:
    queries, image, masked = embeddings(1, spread=0.2, windows=600)

    def responses(asked: np.ndarray, windows: slice) -> np.ndarray:
        part = masked[windows]
        differences = PlainDifferences(part - image) if codec is None else encode(part, image, codec)
        return distance_increases(asked, image, differences)

    together = responses(queries, slice(None))
    for query, row in zip(queries, together, strict=True):
        np.testing.assert_array_equal(responses(query[None], slice(None))[0], row)
    for start in range(0, 600, 77):
        windows = slice(start, start + 77)
        np.testing.assert_array_equal(responses(queries, windows), together[:, windows])
