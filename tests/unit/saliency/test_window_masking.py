import numpy as np
import pytest

from support.saliency import random_image, slow_masked
from xmirad.errors import InvalidRequestError
from xmirad.saliency.gaussian import gaussian_kernel
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.masking import BLUR_SIGMA, Fill, WindowMasker, fill_for

LATTICE = WindowLattice(size=16, window=5, stride=3)
IMAGE = random_image(0, 16)


def masked(fill: np.ndarray, batch_size: int) -> np.ndarray:
    masker = WindowMasker(LATTICE, IMAGE, fill=fill, batch_size=batch_size)
    return np.concatenate([batch.copy() for batch in masker.batches(np.arange(LATTICE.windows))])


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_batches_equal_the_stack_of_all_masked_copies(batch_size: int) -> None:
    np.testing.assert_array_equal(masked(fill_for(IMAGE), batch_size), slow_masked(IMAGE, LATTICE))


def test_buffers_are_used_again_and_restored() -> None:
    masker = WindowMasker(LATTICE, IMAGE, fill=fill_for(IMAGE), batch_size=3)
    batches = list(masker.batches(np.arange(7)))
    assert all(np.shares_memory(batch, batches[0]) for batch in batches)
    assert [len(batch) for batch in batches] == [3, 3, 1]
    for batch in batches:
        np.testing.assert_array_equal(batch, np.stack([IMAGE] * len(batch)))


def test_buffers_are_restored_when_nobody_asks_on() -> None:
    masker = WindowMasker(LATTICE, IMAGE, fill=fill_for(IMAGE), batch_size=2)
    batches = masker.batches(np.arange(4))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    again = masker.batches(np.array([20]))
    np.testing.assert_array_equal(next(again)[0], slow_masked(IMAGE, LATTICE)[20])


def test_fills_are_what_their_names_say() -> None:
    black = (-2.0, -1.5, -1.0)
    other = random_image(1, 16)
    assert not fill_for(IMAGE).any()
    np.testing.assert_array_equal(fill_for(IMAGE, Fill.BLACK, black=black)[:, 3, 4], np.array(black, np.float32))
    np.testing.assert_allclose(fill_for(IMAGE, Fill.MEAN)[:, 0, 0], IMAGE.mean(axis=(1, 2)), rtol=1e-5)
    assert fill_for(IMAGE, Fill.IMAGE, other=other) is other
    for fill in Fill:
        assert fill_for(IMAGE, fill, black=black, other=other).shape == IMAGE.shape


def test_the_blurred_fill_is_a_weighted_mean_of_the_pixels_around() -> None:
    kernel = gaussian_kernel(BLUR_SIGMA)
    row, column, reach = 2, 9, kernel.size // 2
    weights = np.outer([kernel[i - row + reach] for i in range(16)], [kernel[j - column + reach] for j in range(16)])
    expected = (IMAGE * weights).sum(axis=(1, 2)) / weights.sum()
    np.testing.assert_allclose(fill_for(IMAGE, Fill.BLUR)[:, row, column], expected, atol=1e-5)


def test_a_fill_shows_in_the_hidden_windows() -> None:
    np.testing.assert_array_equal(
        masked(np.broadcast_to(np.float32(7), IMAGE.shape), 4), slow_masked(IMAGE, LATTICE, fill=7.0)
    )


@pytest.mark.parametrize("fill", [Fill.BLACK, Fill.IMAGE])
def test_a_fill_without_what_it_needs_is_refused(fill: Fill) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        fill_for(IMAGE, fill)
    assert refusal.value.field == "fill"


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        WindowMasker(LATTICE, random_image(0, 12), fill=fill_for(IMAGE), batch_size=1)


def partly_filled(seed: int, *, fill: float) -> np.ndarray:
    """Return an image with some rectangles that show the fill already."""
    generator = np.random.default_rng(seed)
    image = random_image(seed, 16)
    for _ in range(generator.integers(0, 5)):
        top, left = generator.integers(0, 14, 2)
        height, width = generator.integers(2, 12, 2)
        image[:, top : top + height, left : left + width] = fill
    return image


@pytest.mark.parametrize("fill", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(20))
def test_the_distinct_copies_are_those_that_a_comparison_of_all_bytes_finds(seed: int, fill: float) -> None:
    image = partly_filled(seed, fill=fill)
    masker = WindowMasker(LATTICE, image, fill=np.full_like(image, fill), batch_size=3)
    windows = np.random.default_rng(seed).permutation(LATTICE.windows)
    copies, places = masker.distinct(windows)
    made = np.concatenate([image[None], *[batch.copy() for batch in masker.batches(copies)]])
    np.testing.assert_array_equal(made[places + 1], slow_masked(image, LATTICE, fill=fill)[windows])
    assert len({copy.tobytes() for copy in made}) == len(made)


def test_an_image_of_one_color_needs_no_forward_pass_under_its_mean() -> None:
    image = np.full((3, 16, 16), 0.25, np.float32)
    masker = WindowMasker(LATTICE, image, fill=fill_for(image, Fill.MEAN), batch_size=1)
    copies, places = masker.distinct(np.arange(LATTICE.windows))
    assert not len(copies)
    assert (places == -1).all()


def test_a_zero_of_the_other_sign_is_a_change() -> None:
    image = np.full((3, 16, 16), -0.0, np.float32)
    copies, _ = WindowMasker(LATTICE, image, fill=fill_for(image), batch_size=1).distinct(np.arange(4))
    assert len(copies) == 4
