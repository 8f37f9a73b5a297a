import hashlib

import numpy as np

from xmirad.models.canonical import CELLS, generated_image


def scrambled(value: int, number: int) -> int:
    """Return the high byte of splitmix64 in Python's own unbounded integers."""
    mixed = (value + (number + 1) * 0x9E3779B97F4A7C15) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> shift)) * factor % 2**64
    return mixed >> 56


def slow_value(number: int, size: int, *, row: int, column: int, channel: int) -> int:
    """Return one value of a generated image, corner by corner."""
    (cell_row, down), (cell_column, right) = divmod(row * CELLS, size), divmod(column * CELLS, size)
    blob = 0
    for r, weight_r in ((cell_row, size - down), (cell_row + 1, down)):
        for c, weight_c in ((cell_column, size - right), (cell_column + 1, right)):
            blob += scrambled((r * (CELLS + 1) + c) * 3 + channel, number) * weight_r * weight_c
    grain = scrambled((row * size + column) * 3 + channel, number + 1) // 16
    return min(max(blob // size**2 + grain - 8, 0), 255)


def test_generated_images_equal_a_slow_oracle() -> None:
    random = np.random.default_rng(3)
    for number, size in ((0, 224), (5, 37)):
        image = generated_image(number, size)
        assert image.shape == (size, size, 3)
        for row, column, channel in random.integers(0, [size, size, 3], (200, 3)).tolist():
            expected = slow_value(number, size, row=row, column=column, channel=channel)
            assert image[row, column, channel] == expected


def test_the_canonical_image_never_changes() -> None:
    assert (
        hashlib.sha256(generated_image(0, 224).tobytes()).hexdigest()
        == "8c417ea78cbabdd9a08fd3bfee3cee7f21642d688b5175e5d19cf92db772830c"
    )


def test_images_of_different_numbers_differ() -> None:
    images = [generated_image(number, 64).astype(int) for number in range(4)]

    for index, image in enumerate(images):
        assert image.std() > 20
        for other in images[:index]:
            assert np.abs(image - other).mean() > 20
