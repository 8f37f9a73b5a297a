import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.saliency import random_image, region_embedder, toy_embedder
from xmirad.errors import InvalidRequestError
from xmirad.saliency.controls import center_prior, control_fields
from xmirad.saliency.fidelity import (
    BLUR_LENGTH,
    BLUR_SIGMA,
    PUBLISHED_STEP,
    STEP,
    Verdict,
    area,
    curves,
    p_value,
    pixel_order,
    verdict,
    verdict_words,
)
from xmirad.saliency.gaussian import blurred, folded_kernel, gaussian_kernel

SIDE = 60
EMBED = toy_embedder(0, size=SIDE, embedding_size=16)
IMAGE, OTHER = random_image(0, SIDE), EMBED(random_image(1, SIDE)[None])[0]


def slow_curves(image: np.ndarray, order: np.ndarray, step: int) -> tuple[list[float], list[float]]:
    """Return insertion and deletion scores by setting pixel after pixel."""
    blurry = slow_blur(image)
    both = []
    for start, end in ((blurry, image), (image, np.zeros_like(image))):
        scores, current = [], start.copy()
        for number in range(order.size + 1):
            if number % step == 0 or number == order.size:
                cosine = float(EMBED(current[None])[0].astype(np.float64) @ OTHER)
                scores.append(min(1.0, max(0.0, cosine)))
            if number < order.size:
                row, column = divmod(int(order[number]), SIDE)
                current[:, row, column] = end[:, row, column]
        both.append(scores)
    return both[0], both[1]


def slow_blur(image: np.ndarray) -> np.ndarray:
    """Filter with the published two-dimensional kernel and 25 zeros around."""
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    impulse = np.zeros((51, 51))
    impulse[25, 25] = 1
    kernel = ndimage.gaussian_filter(impulse, np.sqrt(50))
    channels = [ndimage.convolve(channel.astype(np.float64), kernel, mode="constant") for channel in image]
    return np.stack(channels).astype(np.float32)


def test_the_blur_is_that_of_the_published_code() -> None:
    np.testing.assert_allclose(blurred(IMAGE, folded_kernel(BLUR_SIGMA, BLUR_LENGTH)), slow_blur(IMAGE), atol=1e-6)


def test_kernels_sum_to_one() -> None:
    assert folded_kernel(BLUR_SIGMA, BLUR_LENGTH).sum() == pytest.approx(1)
    assert folded_kernel(2.0, 31).sum() == pytest.approx(gaussian_kernel(2.0).sum()) == pytest.approx(1)
    assert folded_kernel(2.0, 31).size == 31


@pytest.mark.parametrize("step", [360, 1000, 3600])
def test_curves_equal_the_loops(step: int) -> None:
    order = np.random.default_rng(0).permutation(SIDE * SIDE)
    followed = curves(IMAGE, order, other=OTHER, embed=EMBED, step=step)
    insertion, deletion = slow_curves(IMAGE, order, step)
    np.testing.assert_allclose(followed.insertion, insertion, atol=1e-6)
    np.testing.assert_allclose(followed.deletion, deletion, atol=1e-6)


def test_insertion_ends_and_deletion_begins_with_the_score() -> None:
    order = pixel_order(random_image(2, SIDE)[0])
    followed = curves(IMAGE, order, other=OTHER, embed=EMBED, step=300)
    score = float(EMBED(IMAGE[None])[0].astype(np.float64) @ OTHER.astype(np.float64))
    print(
        f"insertion's last {followed.insertion[-1]:.9f}, deletion's first {followed.deletion[0]:.9f}, cos {score:.9f}"
    )
    assert followed.insertion[-1] == followed.deletion[0] == pytest.approx(score, abs=1e-7)


def test_both_definitions_have_their_number_of_steps() -> None:
    seen: list[int] = []

    def embed(batch: np.ndarray) -> np.ndarray:
        seen.append(len(batch))
        return np.full((len(batch), 1), 1.0, np.float32)

    image = random_image(0, 224)
    for step, scores in ((STEP, 29), (PUBLISHED_STEP, 225)):
        seen.clear()
        followed = curves(image, np.arange(224 * 224), other=np.ones(1, np.float32), embed=embed, step=step)
        assert followed.insertion.size == followed.deletion.size == scores
        assert sum(seen) == 2 * scores


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=9, max_size=9))
def test_equal_pixels_keep_their_order(values: list[float]) -> None:
    saliency = np.array(values, np.float32).reshape(3, 3)
    assert pixel_order(saliency).tolist() == sorted(range(9), key=lambda pixel: (-values[pixel], pixel))


def test_the_area_of_a_straight_line_is_its_mean() -> None:
    assert area(np.linspace(1, 0, 29)) == pytest.approx(0.5)
    assert area(np.ones(225)) == pytest.approx(1)


def test_an_inverted_map_fails_where_the_map_itself_passes() -> None:
    region = np.s_[20:44, 30:54]
    embed = region_embedder(*region)
    image = random_image(5, SIDE)
    other = embed(image[None])[0]
    saliency = np.zeros((SIDE, SIDE), np.float32)
    saliency[region] = 1.0
    orders = [pixel_order(each) for each in control_fields(SIDE, seed=0, sigma=6.0)]
    controls = [curves(image, order, other=other, embed=embed, step=180).fidelity for order in orders]
    figures = [
        curves(image, pixel_order(each), other=other, embed=embed, step=180).fidelity for each in (saliency, -saliency)
    ]
    print(f"fidelity {figures[0]:.3f}, inverted {figures[1]:.3f}, controls {min(controls):.3f} to {max(controls):.3f}")
    assert [verdict(figure, controls) for figure in figures] == [
        Verdict.BETTER_THAN_CHANCE,
        Verdict.NOT_BETTER_THAN_CHANCE,
    ]


def test_a_map_must_beat_every_control() -> None:
    assert verdict(0.5, [0.1, 0.49]) is Verdict.BETTER_THAN_CHANCE
    assert verdict(0.5, [0.1, 0.5]) is Verdict.NOT_BETTER_THAN_CHANCE
    with pytest.raises(InvalidRequestError):
        verdict(0.5, [])


@pytest.mark.parametrize("sigma", [4.0, 9.0, 15.0])
def test_a_blob_at_the_center_is_no_better_than_the_center_prior(sigma: float) -> None:
    region = np.s_[18:42, 18:42]
    embed = region_embedder(*region)
    image = random_image(6, SIDE)
    other = embed(image[None])[0]
    offsets = np.arange(SIDE) - (SIDE - 1) / 2
    blob = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2)).astype(np.float32)

    def fidelity(field: np.ndarray) -> float:
        return curves(image, pixel_order(field), other=other, embed=embed, step=180).fidelity

    controls = [fidelity(field) for field in control_fields(SIDE, seed=0, sigma=6.0)]
    print(f"blob {fidelity(blob):.4f}, center {controls[-1]:.4f}, best random field {max(controls[:-1]):.4f}")
    assert fidelity(blob) > max(controls[:-1])
    assert verdict(round(fidelity(blob), 3), [round(each, 3) for each in controls]) is Verdict.NOT_BETTER_THAN_CHANCE


@pytest.mark.parametrize(
    ("fidelity", "controls", "expected"),
    [(0.5, [0.1] * 10, 1 / 11), (0.1, [0.1] + [0.0] * 9, 2 / 11), (-1.0, [0.0] * 10, 1.0), (0.5, [], 1.0)],
)
def test_p_counts_the_controls_that_reach_the_map(fidelity: float, controls: list[float], expected: float) -> None:
    assert p_value(fidelity, controls) == pytest.approx(expected)


def test_words_name_p_the_controls_and_the_best_of_them() -> None:
    assert verdict_words(0.244, [0.135] * 10) == (
        "better than chance (p = 0.09: fidelity +0.244, above all 10 controls, the best +0.135)"
    )
    assert verdict_words(0.1, [0.139, 0.1] + [0.0] * 8) == (
        "not better than chance (p = 0.27: fidelity +0.100, 2 of 10 controls reach it, the best +0.139)"
    )


def test_controls_are_nine_seeded_smooth_fields_and_the_center() -> None:
    everything = control_fields(224, seed=7)
    assert everything.shape == (10, 224, 224)
    np.testing.assert_array_equal(everything, control_fields(224, seed=7))
    np.testing.assert_array_equal(everything[-1], center_prior(224))
    fields = everything[:-1]
    assert not np.array_equal(fields, control_fields(224, seed=8)[:-1])
    lag = 20
    pairs = [np.corrcoef(field[:, :-lag].ravel(), field[:, lag:].ravel())[0, 1] for field in fields]
    assert np.mean(pairs) == pytest.approx(np.exp(-(lag**2) / (4 * 20.0**2)), abs=0.1)
    assert np.abs(np.corrcoef(fields.reshape(9, -1)) - np.eye(9)).max() < 0.7
    borders = np.concatenate([fields[:, 0].ravel(), fields[:, :, -1].ravel()])
    assert borders.std() == pytest.approx(fields.std(), rel=0.3)


@pytest.mark.parametrize(("pixels", "step", "field"), [(10, 5, "order"), (SIDE * SIDE, 0, "step")])
def test_orders_and_steps_that_do_not_fit_are_refused(pixels: int, step: int, field: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        curves(IMAGE, np.arange(pixels), other=OTHER, embed=EMBED, step=step)
    assert refusal.value.field == field
