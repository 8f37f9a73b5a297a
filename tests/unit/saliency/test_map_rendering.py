import io

import numpy as np
import pytest
from PIL import Image

from xmirad.errors import InvalidRequestError
from xmirad.saliency.colors import DIVERGING, SEQUENTIAL, Colors, colored
from xmirad.saliency.method import ExplainedImage, SaliencyMap
from xmirad.saliency.render import overlay
from xmirad.types import ImageGeometry

GEOMETRY = ImageGeometry(64, 48, 64, 48, 16, 8, 32)
PICTURE = np.full((48, 64, 3), 100, np.uint8)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def saliency(*, signed: bool = False, exact: bool = True) -> SaliencyMap:
    values = np.zeros((32, 32), np.float32)
    values[4:8, 4:8] = 0.05
    if signed:
        values[20:24, 20:24] = -0.02
    return SaliencyMap(values, ExplainedImage.RESULT, signed=signed, exact=exact)


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image)


def test_color_lies_where_the_map_says_and_nowhere_else() -> None:
    drawn = pixels(overlay(PICTURE, saliency(), geometry=GEOMETRY, opacity=1.0, legend=False))
    changed = (drawn != PICTURE).any(axis=2)
    assert changed[12:16, 20:24].all()
    assert changed.sum() == 16
    np.testing.assert_array_equal(drawn[13, 21], SEQUENTIAL[-1])


def test_signs_have_colors_of_their_own() -> None:
    drawn = pixels(overlay(PICTURE, saliency(signed=True), geometry=GEOMETRY, opacity=1.0, legend=False))
    np.testing.assert_array_equal(drawn[13, 21], DIVERGING[-1])
    red, _, blue = drawn[29, 37].astype(int)
    assert blue > red + 20


def test_opacity_zero_leaves_the_picture() -> None:
    np.testing.assert_array_equal(
        pixels(overlay(PICTURE, saliency(), geometry=GEOMETRY, opacity=0.0, legend=False)), PICTURE
    )


@pytest.mark.parametrize("signed", [False, True])
def test_the_legend_comes_below_and_says_previews(signed: bool) -> None:
    exact = pixels(overlay(PICTURE, saliency(signed=signed), geometry=GEOMETRY))
    preview = pixels(overlay(PICTURE, saliency(signed=signed, exact=False), geometry=GEOMETRY))
    assert exact.shape[0] > 48
    assert (exact[48:] < 60).any()  # black numbers
    np.testing.assert_array_equal(exact[:48], preview[:48])
    assert (exact != preview).any()


def test_a_map_of_nothing_can_be_drawn() -> None:
    nothing = SaliencyMap(np.zeros((32, 32), np.float32), ExplainedImage.QUERY)
    np.testing.assert_array_equal(pixels(overlay(PICTURE, nothing, geometry=GEOMETRY))[:48], PICTURE)


def test_the_same_map_gives_the_same_bytes() -> None:
    assert overlay(PICTURE, saliency(), geometry=GEOMETRY) == overlay(PICTURE, saliency(), geometry=GEOMETRY)


@pytest.mark.parametrize("opacity", [-0.1, 1.5, float("nan")])
def test_an_impossible_opacity_is_refused(opacity: float) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        overlay(PICTURE, saliency(), geometry=GEOMETRY, opacity=opacity)
    assert refusal.value.field == "opacity"


def brightness(table: Colors) -> np.ndarray:
    steps = colored(np.linspace(0, 1, 101, dtype=np.float32), table) / 255.0
    return np.asarray(steps**2.2 @ LUMINANCE)


def test_the_sequential_table_gets_brighter_all_the_way() -> None:
    assert (np.diff(brightness(SEQUENTIAL)) > 0).all()


def test_the_diverging_table_is_brightest_at_zero() -> None:
    light = brightness(DIVERGING)
    assert (np.diff(light[:51]) > 0).all()
    assert (np.diff(light[50:]) < 0).all()


@pytest.mark.parametrize(
    "confusion",
    [
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],  # protanopia
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],  # deuteranopia
    ],
)
def test_the_ends_of_the_diverging_table_differ_for_red_green_blind_eyes(confusion: list[list[float]]) -> None:
    """Simulated after Machado et al., "A physiologically-based model for ... color vision deficiency" (2009)."""
    seen = (DIVERGING / 255) ** 2.2 @ np.array(confusion).T
    for negative, positive in ((0, 4), (1, 3)):
        assert np.abs(seen[negative] - seen[positive]).max() > 0.2
