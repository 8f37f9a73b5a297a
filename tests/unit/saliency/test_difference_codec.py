import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.saliency import slow_responses, unit
from xmirad.errors import EmbeddingCorruptError
from xmirad.saliency.codec import Codec, CodedDifferences, encode, from_bytes, joined
from xmirad.saliency.rotation import blocks, rotate, rotate_back
from xmirad.saliency.scoring import distance_increases

CODECS = list(Codec)


def one_window(*, scale: float) -> bytes:
    coded = CodedDifferences(Codec.INT8, np.full(1, scale, np.float32), np.zeros((1, 8), np.int8))
    return coded.to_bytes()


def sparse_embeddings(seed: int, *, windows: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and masked copies that differ strongly in few components, as those of a rectified network do."""
    generator = np.random.default_rng(seed)
    image = unit(np.abs(generator.standard_normal(size)))
    changed = generator.random((windows, size)) < 0.05
    change = changed * generator.standard_normal((windows, size)) * generator.uniform(0.001, 0.05, (windows, 1))
    return image, unit(np.maximum(0.0, image + change))


def signs_of(size: int) -> np.ndarray:
    """Return what each component is multiplied by before the transform: the first row of a Hadamard matrix is ones."""
    rotated = rotate(np.eye(size, dtype=np.float32))
    return np.concatenate([np.sign(rotated[block, block.start]) for block in blocks(size)])


def one_rotated(row: np.ndarray) -> np.ndarray:
    """Transform a row by the textbook's loop: pairs half a block apart, from neighbors on."""
    row = row.copy()
    for block in blocks(len(row)):
        part, half = row[block], 1
        while half < len(part):
            for start in range(0, len(part), 2 * half):
                for place in range(start, start + half):
                    part[place], part[place + half] = part[place] + part[place + half], part[place] - part[place + half]
            half *= 2
        part *= np.float32(1 / math.sqrt(len(part)))
    return row


@pytest.mark.parametrize("size", [1, 7, 32, 100, 256, 300, 1024, 1280])
def test_the_rotation_keeps_lengths_and_can_be_undone(size: int) -> None:
    vectors = np.random.default_rng(size).standard_normal((5, size)).astype(np.float32)
    rotated = rotate(vectors)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-5 * size)
    np.testing.assert_allclose(rotate_back(rotated), vectors, atol=1e-5)


def test_the_rotation_is_the_hadamard_matrix_after_fixed_signs() -> None:
    hadamard = np.ones((1, 1))
    while len(hadamard) < 256:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    rotated = rotate(np.eye(256, dtype=np.float32))
    signs = np.sign(rotated[:, 0])
    np.testing.assert_allclose(rotated, signs[:, None] * hadamard / 16, atol=1e-6)
    assert 100 < (signs > 0).sum() < 156
    np.testing.assert_array_equal(rotate(np.eye(512, dtype=np.float32))[:256, :256], rotated)


@pytest.mark.parametrize(("rows", "size"), [(1, 256), (40, 512), (33, 300), (5, 7), (0, 256)])
def test_the_rotation_adds_in_one_order_whatever_is_rotated_beside(rows: int, size: int) -> None:
    vectors = np.random.default_rng(size).standard_normal((rows, size)).astype(np.float32)
    expected = [one_rotated(row * signs_of(size)) for row in vectors]
    assert rotate(vectors).tobytes() == np.array(expected, np.float32).tobytes()


@given(st.integers(1, 3000))
def test_blocks_tile_any_embedding_with_powers_of_two(size: int) -> None:
    parts = blocks(size)
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop) == (0, size)
    assert all((length := part.stop - part.start) & (length - 1) == 0 and length <= 256 for part in parts)


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([3, 64, 100, 512]))
def test_no_distance_is_off_by_more_than_its_bound(codec: Codec, seed: int, size: int) -> None:
    image, masked = sparse_embeddings(seed, windows=20, size=size)
    queries = unit(image + 0.3 * np.random.default_rng(seed).standard_normal((4, size)))
    coded = encode(masked, image, codec)
    rounding = 3e-7
    assert (np.linalg.norm(coded.decode() + image - masked, axis=1) <= coded.error_bounds() + rounding).all()
    for query, row in zip(queries, distance_increases(queries, image, coded), strict=True):
        errors = np.abs(row - slow_responses(query, image, masked))
        assert (errors <= coded.error_bounds() + rounding).all()


@pytest.mark.parametrize("codec", CODECS)
def test_errors_are_spread_as_stated(codec: Codec) -> None:
    image, masked = sparse_embeddings(0, windows=2401, size=1280)
    query = unit(image + 0.01 * np.random.default_rng(1).standard_normal(1280))
    coded = encode(masked, image, codec)
    errors = distance_increases(query[None], image, coded)[0] - slow_responses(query, image, masked)
    in_deviations = errors / coded.likely_errors()
    print(f"{codec}: deviation {in_deviations.std():.2f} of the stated, worst {np.abs(in_deviations).max():.2f}")
    assert in_deviations.std() == pytest.approx(1, abs=0.15)
    assert np.abs(in_deviations).max() < 5


@pytest.mark.parametrize("codec", CODECS)
def test_products_equal_those_of_the_decoded_differences(codec: Codec) -> None:
    image, masked = sparse_embeddings(3, windows=300, size=320)
    coded = encode(masked, image, codec)
    directions = np.random.default_rng(0).standard_normal((3, 320)).astype(np.float32)
    decoded = coded.decode().astype(np.float64)
    products = coded.products(directions)
    np.testing.assert_allclose(products.with_directions, directions @ decoded.T, atol=1e-6)
    np.testing.assert_allclose(products.with_themselves, np.square(decoded).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize(("codec", "size", "megabytes"), [(Codec.INT8, 1280, 3.1), (Codec.INT8, 1024, 2.5)])
def test_a_whole_lattice_has_the_promised_size(codec: Codec, size: int, megabytes: float) -> None:
    image, masked = sparse_embeddings(0, windows=2401, size=size)
    assert len(encode(masked, image, codec).to_bytes()) == pytest.approx(megabytes * 1e6, rel=0.02)


@pytest.mark.parametrize("codec", CODECS)
def test_bytes_are_read_back_and_do_not_depend_on_the_chunk(codec: Codec) -> None:
    image, masked = sparse_embeddings(4, windows=50, size=100)
    whole = encode(masked, image, codec)
    parts = [encode(masked[start : start + 13], image, codec) for start in range(0, 50, 13)]
    read = [from_bytes(part.to_bytes(), codec, embedding_size=100) for part in parts]
    assert joined(read).to_bytes() == whole.to_bytes()
    assert whole.to_bytes() == whole.scales.tobytes() + whole.values.tobytes()


def test_bytes_are_the_same_on_every_machine() -> None:
    steps = np.arange(-300, 300, dtype=np.float32).reshape(3, 200) / np.float32(1024)
    digests = {
        codec.value: hashlib.sha256(encode(steps, np.zeros(200, np.float32), codec).to_bytes()).hexdigest()[:16]
        for codec in Codec
    }
    assert digests == {"int8": "5a15c19bf59e7b68", "int16": "63567fcb91b0f7d2"}


def test_a_copy_equal_to_the_image_has_no_difference() -> None:
    image, _ = sparse_embeddings(0, windows=1, size=64)
    coded = encode(image[None], image, Codec.INT8)
    assert not coded.decode().any()
    assert coded.error_bounds().tolist() == [0.0]


def test_embeddings_that_are_not_finite_are_refused() -> None:
    image, masked = sparse_embeddings(0, windows=3, size=64)
    masked[1, 5] = np.nan
    with pytest.raises(EmbeddingCorruptError):
        encode(masked, image, Codec.INT8)


@pytest.mark.parametrize(
    "data",
    [
        one_window(scale=1.0)[:-1],
        one_window(scale=-1.0),
        one_window(scale=np.nan),
    ],
)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EmbeddingCorruptError):
        from_bytes(data, Codec.INT8, embedding_size=8)
