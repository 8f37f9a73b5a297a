import numpy as np
import pytest

from support.saliency import unit
from xmirad.errors import EmbeddingCorruptError, InvalidRequestError
from xmirad.models.embedder import LinearHead
from xmirad.saliency.activation import Activation
from xmirad.saliency.geometry import Point
from xmirad.saliency.method import Evidence, ExplainedImage

CHANNELS, CELLS, SIZE = 8, 7, 7
GENERATOR = np.random.default_rng(0)
HEAD = LinearHead(
    weight=GENERATOR.standard_normal((5, CHANNELS)).astype(np.float32),
    bias=3 * GENERATOR.standard_normal(5).astype(np.float32),
)
BOTH = ExplainedImage.BOTH


def pooled(activations: np.ndarray, head: LinearHead | None) -> np.ndarray:
    mean = activations.astype(np.float64).mean(axis=(1, 2))
    return np.asarray(mean if head is None else head.weight.astype(np.float64) @ mean + head.bias)


def image(seed: int, head: LinearHead | None = None) -> Evidence:
    activations = np.random.default_rng(seed).exponential(size=(CHANNELS, CELLS, CELLS)).astype(np.float32)
    return Evidence(unit(pooled(activations, head)), activations=activations)


def slow_pairs(query: Evidence, result: Evidence, head: LinearHead | None) -> np.ndarray:
    """Return the published D of every pair of places, with the bias's right share, `[h, w, h, w]`; not scaled."""
    assert query.activations is not None
    assert result.activations is not None
    pairs = np.zeros((CELLS,) * 4)
    for i in range(CELLS):
        for j in range(CELLS):
            for k in range(CELLS):
                for l in range(CELLS):  # noqa: E741 - as in the formula
                    first = query.activations[:, i, j].astype(np.float64)
                    second = result.activations[:, k, l].astype(np.float64)
                    if head is not None:
                        first, second = head.weight @ first + head.bias, head.weight @ second + head.bias
                    pairs[i, j, k, l] = first @ second
    return pairs


def scale(query: Evidence, result: Evidence, head: LinearHead | None) -> float:
    """Return HW^2 |f1| |f2|."""
    assert query.activations is not None
    assert result.activations is not None
    lengths = [np.linalg.norm(pooled(each, head)) for each in (query.activations, result.activations)]
    return float(CELLS**4 * lengths[0] * lengths[1])


@pytest.mark.parametrize("head", [None, HEAD], ids=["pooled", "head"])
def test_the_signed_maps_sum_to_the_score(head: LinearHead | None) -> None:
    query, result = image(1, head), image(2, head)
    score = float(query.embedding @ result.embedding)
    maps = Activation(size=SIZE, head=head, signed=True).explain(query, result, explained_image=BOTH)
    published = slow_pairs(query, result, head).sum() / scale(query, result, head)
    sums = [float(saliency.values.sum(dtype=np.float64)) for saliency in maps]
    print(f"score {score:.7f}, sum of all pairs {published:.7f}, sums of the maps {sums}")
    assert published == pytest.approx(score, abs=1e-6)
    assert sums == pytest.approx([score, score], abs=1e-6)


@pytest.mark.parametrize("head", [None, HEAD], ids=["pooled", "head"])
@pytest.mark.parametrize("signed", [False, True])
def test_maps_of_both_images_equal_the_loops(head: LinearHead | None, signed: bool) -> None:
    query, result = image(1, head), image(2, head)
    pairs = slow_pairs(query, result, head) / scale(query, result, head)
    kept = pairs if signed else np.maximum(0, pairs)
    on_query, on_result = Activation(size=SIZE, head=head, signed=signed).explain(query, result, explained_image=BOTH)
    np.testing.assert_allclose(on_query.values, kept.sum(axis=(2, 3)), atol=1e-7)
    np.testing.assert_allclose(on_result.values, kept.sum(axis=(0, 1)), atol=1e-7)


def slow_match(pairs: np.ndarray, row: float, column: float, size: int) -> np.ndarray:
    """Return the published map of a point on the query: pad by repetition, mix four neighbors, rectify."""
    padded = np.pad(pairs, ((1, 1), (1, 1), (0, 0), (0, 0)), mode="edge")
    u, v = ((place + 0.5) / size * CELLS + 0.5 for place in (row, column))
    top, left = int(np.floor(u)), int(np.floor(v))
    down, right = u - top, v - left
    mixed = (1 - down) * (1 - right) * padded[top, left] + (1 - down) * right * padded[top, left + 1]
    mixed = mixed + down * (1 - right) * padded[top + 1, left] + down * right * padded[top + 1, left + 1]
    return np.asarray(np.maximum(0, mixed))


@pytest.mark.parametrize("place", [(0, 0), (3, 216), (111, 60), (216, 216), (100.5, 17.25)])
def test_a_point_lights_up_its_match_as_published(place: tuple[float, float]) -> None:
    size = 31 * CELLS  # places have a pixel at their center
    query, result = image(1, HEAD), image(2, HEAD)
    pairs = slow_pairs(query, result, HEAD) / scale(query, result, HEAD)
    (saliency,) = Activation(size=size, head=HEAD, point=Point(*place)).explain(query, result)
    np.testing.assert_allclose(saliency.values[15::31, 15::31], slow_match(pairs, *place, size), atol=1e-7)


def test_a_point_on_the_result_lights_up_its_match_on_the_query() -> None:
    query, result = image(1), image(2)
    point = Activation(size=SIZE, point=Point(2, 5))
    (on_query,) = point.explain(query, result, explained_image=ExplainedImage.QUERY)
    (turned,) = point.explain(result, query, explained_image=ExplainedImage.RESULT)
    np.testing.assert_array_equal(on_query.values, turned.values)


def test_a_copied_patch_is_its_own_match() -> None:
    query = np.zeros((CHANNELS, CELLS, CELLS), np.float32)
    result = np.full((CHANNELS, CELLS, CELLS), 0.01, np.float32)
    query[3, 1, 2] = result[3, 5, 4] = 4.0
    query[1, 6, 6] = 1.0
    pair = [Evidence(unit(pooled(each, None)), activations=each) for each in (query, result)]
    (saliency,) = Activation(size=SIZE, point=Point(1, 2)).explain(pair[0], pair[1])
    assert divmod(int(saliency.values.argmax()), CELLS) == (5, 4)


def test_images_that_are_alike_nowhere_do_not_light_up() -> None:
    opposite = LinearHead(weight=np.array([[1.0], [-1.0]], np.float32), bias=np.array([0.0, 3.0], np.float32))
    low, high = (np.full((1, 2, 2), value, np.float32) for value in (0.5, 9.0))
    pair = [Evidence(unit(pooled(each, opposite)), activations=each) for each in (low, high)]
    assert pair[0].embedding @ pair[1].embedding < 0
    (published,) = Activation(size=4, head=opposite).explain(pair[0], pair[1])
    (signed,) = Activation(size=4, head=opposite, signed=True).explain(pair[0], pair[1])
    assert published.values.max() == 0
    assert signed.values.max() < 0


@pytest.mark.parametrize("place", [(-1, 0), (0, 224), (224, 5), (float("nan"), 3)])
def test_a_point_outside_the_image_is_refused(place: tuple[float, float]) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        Activation(size=224, point=Point(*place))
    assert refusal.value.field == "point"


def test_activations_that_do_not_fit_are_refused() -> None:
    query, result = image(1), image(2)
    assert result.activations is not None
    damaged = np.where(result.activations > 3, np.nan, result.activations).astype(np.float32)
    for activations in (result.activations[0], damaged, image(3).activations, result.activations[:4], None):
        with pytest.raises((InvalidRequestError, EmbeddingCorruptError)):
            Activation(size=SIZE).explain(query, Evidence(result.embedding, activations=activations))
    with pytest.raises(InvalidRequestError) as refusal:
        Activation(size=SIZE, head=LinearHead(HEAD.weight[:, :3], HEAD.bias)).explain(query, result)
    assert refusal.value.field == "head"
