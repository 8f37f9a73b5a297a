import numpy as np
import pytest

from support.saliency import random_image, slow_map, slow_masked, slow_responses, toy_embedder, unit
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.saliency.aggregation import coverage
from xmirad.saliency.codec import Codec, encode
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import levels, walk
from xmirad.saliency.method import Evidence, ExplainedImage
from xmirad.saliency.occlusion import Contrast, Occlusion
from xmirad.saliency.scoring import PlainDifferences

LATTICE = WindowLattice(size=28, window=6, stride=2)  # 16 per axis do not nest
NESTED = WindowLattice(size=28, window=6, stride=1)  # 33 per axis, four levels
EMBED = toy_embedder(0, size=28, embedding_size=48)
IMAGES = [random_image(seed, 28) for seed in range(3)]
QUERY, RESULT, OTHER = ExplainedImage.QUERY, ExplainedImage.RESULT, EMBED(IMAGES[2][None])[0]


def evidence(number: int, lattice: WindowLattice = LATTICE, *, windows: int | None = None) -> Evidence:
    embedding = EMBED(IMAGES[number][None])[0]
    masked = EMBED(slow_masked(IMAGES[number], lattice))[walk(lattice)][:windows]
    return Evidence(embedding, masked=PlainDifferences(masked - embedding))


def oracle(other: np.ndarray, explained: int, *, signed: bool = False) -> np.ndarray:
    masked = EMBED(slow_masked(IMAGES[explained], LATTICE))
    responses = slow_responses(other, EMBED(IMAGES[explained][None])[0], masked)
    return slow_map(LATTICE, responses if signed else np.maximum(responses, 0))


def close(values: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(values - expected).max() <= 1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("signed", [False, True])
def test_maps_of_both_images_equal_the_loops(signed: bool) -> None:
    query, result = evidence(0), evidence(1)
    on_query, on_result = Occlusion(LATTICE, signed=signed).explain(query, result, explained_image=ExplainedImage.BOTH)
    assert close(on_query.values, oracle(result.embedding, 0, signed=signed))
    assert close(on_result.values, oracle(query.embedding, 1, signed=signed))
    assert (on_query.explained_image, on_result.explained_image) == (QUERY, RESULT)
    assert (on_result.values.min() < 0) == signed
    assert on_result.exact
    assert on_result.error_five_sigma == 0


def test_the_map_lies_on_the_result_unless_told_otherwise() -> None:
    query, result = evidence(0), evidence(1)
    (given,) = Occlusion(LATTICE).explain(Evidence(query.embedding), result)
    (named,) = Occlusion(LATTICE).explain(query, result, explained_image=RESULT)
    np.testing.assert_array_equal(given.values, named.values)


def test_an_image_paired_with_itself_gives_self_saliency() -> None:
    image = evidence(1)
    (saliency,) = Occlusion(LATTICE).explain(image, image)
    masked = EMBED(slow_masked(IMAGES[1], LATTICE))
    distances = np.linalg.norm(masked.astype(np.float64) - image.embedding, axis=1)
    assert close(saliency.values, slow_map(LATTICE, distances))


def test_contrast_on_the_query_equals_the_loops_and_turns_around_with_its_items() -> None:
    query, result = evidence(0), evidence(1)
    (saliency,) = Contrast(LATTICE, contrast=OTHER).explain(query, result, explained_image=QUERY)
    masked = EMBED(slow_masked(IMAGES[0], LATTICE))
    responses = slow_responses(result.embedding, query.embedding, masked)
    responses -= slow_responses(OTHER, query.embedding, masked)
    assert close(saliency.values, slow_map(LATTICE, responses))
    assert saliency.signed
    turned = Contrast(LATTICE, contrast=result.embedding).explain(query, Evidence(OTHER), explained_image=QUERY)
    np.testing.assert_allclose(turned[0].values, -saliency.values, atol=1e-7)


def test_contrast_on_the_result_is_its_signed_occlusion_map() -> None:
    query, result = evidence(0), evidence(1)
    (saliency,) = Contrast(LATTICE, contrast=OTHER).explain(query, result, explained_image=RESULT)
    assert close(saliency.values, oracle(query.embedding, 1, signed=True))


@pytest.mark.parametrize("side", list(ExplainedImage))
def test_contrast_of_a_result_with_itself_is_refused(side: ExplainedImage) -> None:
    result = evidence(1)
    with pytest.raises(InvalidRequestError) as refusal:
        Contrast(LATTICE, contrast=result.embedding).explain(evidence(0), result, explained_image=side)
    assert refusal.value.field == "contrast_item"


def test_each_level_gives_a_preview_and_the_last_the_exact_map() -> None:
    query = evidence(0, NESTED)
    ends = [level.windows for level in levels(NESTED)]
    maps = [Occlusion(NESTED).explain(query, evidence(1, NESTED, windows=end))[0] for end in ends]
    assert [saliency.exact for saliency in maps] == [False, False, False, True]
    assert maps[0].estimated_error is None
    assert all(saliency.estimated_error for saliency in maps[1:3])
    assert maps[3].estimated_error is None
    exact = maps[3].values
    errors = [np.abs(saliency.values - exact).max() / exact.max() for saliency in maps[:3]]
    assert errors[0] > errors[1] > errors[2]
    assert len(maps[3].preview_errors) == 3


def test_windows_that_complete_no_level_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        Occlusion(NESTED).explain(evidence(0), evidence(1, NESTED, windows=100))
    assert refusal.value.metadata == {"windows": "100", "expected": "1089"}


@pytest.mark.parametrize("codec", list(Codec))
def test_coded_maps_state_an_error_that_they_keep(codec: Codec) -> None:
    query, result = evidence(0), evidence(1)
    masked = EMBED(slow_masked(IMAGES[1], LATTICE))[walk(LATTICE)]
    coded = Evidence(result.embedding, masked=encode(masked, result.embedding, codec))
    (exact,) = Occlusion(LATTICE).explain(query, result)
    (saliency,) = Occlusion(LATTICE).explain(query, coded)
    error = float(np.abs(saliency.values - exact.values).max() / np.abs(exact.values).max())
    assert 0 < error <= saliency.error_five_sigma


def test_the_stated_error_is_five_deviations_of_the_worst_pixel() -> None:
    masked = EMBED(slow_masked(IMAGES[1], LATTICE))
    query, result = evidence(0), evidence(1)
    by_row = encode(masked, result.embedding, Codec.INT8).likely_errors()
    variance = slow_map(LATTICE, by_row**2) / coverage(LATTICE)
    coded = Evidence(result.embedding, masked=encode(masked[walk(LATTICE)], result.embedding, Codec.INT8))
    (saliency,) = Occlusion(LATTICE).explain(query, coded)
    expected = 5 * np.sqrt(variance.max()) / saliency.values.max()
    assert saliency.error_five_sigma == pytest.approx(expected, rel=1e-6)
    (contrast,) = Contrast(LATTICE, contrast=OTHER).explain(coded, query, explained_image=QUERY)
    expected = 10 * np.sqrt(variance.max()) / np.abs(contrast.values).max()
    assert contrast.error_five_sigma == pytest.approx(expected, rel=1e-6)


def test_a_query_without_pixels_has_no_map() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        Occlusion(LATTICE).explain(Evidence(OTHER), evidence(1), explained_image=QUERY)
    assert refusal.value.field == "explained_image"


def test_embeddings_of_another_model_are_refused() -> None:
    with pytest.raises(InvalidRequestError):
        Occlusion(LATTICE).explain(Evidence(unit(np.ones(47))), evidence(1))
    other_model = PlainDifferences(np.zeros((LATTICE.windows, 47), np.float32))
    with pytest.raises(InvalidRequestError):
        Occlusion(LATTICE).explain(evidence(0), Evidence(OTHER, masked=other_model))


@pytest.mark.parametrize("value", [np.nan, 2.0])
def test_embeddings_that_are_no_unit_vectors_are_refused(value: float) -> None:
    embedding = OTHER.copy()
    embedding[0] = value
    with pytest.raises(EmbeddingCorruptError):
        Occlusion(LATTICE).explain(Evidence(embedding), evidence(1))
