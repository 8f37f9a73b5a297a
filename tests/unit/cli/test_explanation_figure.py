from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFont

from support.fake_explaining_client import ASSESSED, DONE, EXACT, PREVIEW
from xmirad.cli.explanation_figure import BAD, GAP, GOOD, SIDE, UNKNOWN, Panel, explanation_figure, wrapped
from xmirad.cli.explanation_words import map_words, method_words, scale_words, verdict_words
from xmirad.cli.pictures import Picture
from xmirad.client.explanation_types import (
    ActivationMethod,
    AttentionMethod,
    ExplanationMap,
    MapAreas,
    MapFidelity,
    OcclusionMethod,
)
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.geometry import Point
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ImageGeometry, UInt8Array

GRAY = Picture(np.full((64, 64, 3), 120, np.uint8), is_whole=False)
PEAK = np.zeros((4, 4), np.float32)
PEAK[1, 2] = 0.5
AREAS = MapAreas(0.5, 0.5)
DOUBTFUL = MapFidelity(0.1, (0.2, 0.3), Verdict.NOT_BETTER_THAN_CHANCE, AREAS, p_value=1.0)


def _drawn(saliency: ExplanationMap, picture: Picture | None = GRAY) -> tuple[UInt8Array, UInt8Array]:
    """Return the images of query, without a map, and result, with one, `[SIDE, SIDE, 3]`, found by their columns."""
    panels = [Panel("Query", ("q",), picture), Panel("Result", ("r",), picture, saliency)]
    figure = np.asarray(explanation_figure("Why", panels, DONE))
    top = next(row for row in range(figure.shape[0]) if (figure[row, GAP : GAP + SIDE] < 200).all())
    left = GAP + SIDE + GAP
    return figure[top : top + SIDE, GAP : GAP + SIDE], figure[top : top + SIDE, left : left + SIDE]


def _colorfulness(pixels: UInt8Array) -> float:
    """Return the mean difference of the strongest and the weakest channel, 0 to 255."""
    return float((pixels.max(axis=2).astype(int) - pixels.min(axis=2)).mean())


def _banner(saliency: ExplanationMap) -> tuple[int, ...]:
    figure = np.asarray(explanation_figure("Why", [Panel("Result", ("r",), GRAY, saliency)], DONE))
    starts = figure[:, GAP : GAP + 8].reshape(-1, 24)
    found = {color for color in (GOOD, BAD, UNKNOWN) if (starts == color * 8).all(axis=1).any()}
    assert len(found) == 1
    return found.pop()


def test_the_map_lies_on_the_side_that_it_explains_and_on_no_other() -> None:
    query, result = _drawn(replace(EXACT, values=PEAK))

    assert (query == 120).all()
    assert _colorfulness(result) > 1


@pytest.mark.parametrize("is_whole", [True, False])
def test_the_map_lies_where_its_pixels_come_from(is_whole: bool) -> None:
    geometry = ImageGeometry(64, 64, 8, 8, crop_left=4, crop_top=0, crop_size=4)
    picture = replace(GRAY, is_whole=is_whole)

    _, result = _drawn(replace(EXACT, values=PEAK, geometry=geometry), picture)

    color = result.max(axis=2).astype(int) - result.min(axis=2)
    row, column = (float(place.mean()) / SIDE for place in np.nonzero(color > color.max() * 0.8))
    expected = ((1 + 0.5) / 8, (4 + 2 + 0.5) / 8) if is_whole else ((1 + 0.5) / 4, (2 + 0.5) / 4)
    assert (row, column) == pytest.approx(expected, abs=0.03)


def test_a_map_no_better_than_chance_loses_its_colors_and_is_hatched() -> None:
    ramp = np.linspace(0.1, 0.5, 16, dtype=np.float32).reshape(4, 4)
    good, doubtful = replace(ASSESSED, values=ramp), replace(EXACT, values=ramp, fidelity=DOUBTFUL)

    _, colored = _drawn(good)
    _, crossed_out = _drawn(doubtful)

    is_gray = (crossed_out.max(axis=2) - crossed_out.min(axis=2)) <= 1
    assert 0.6 < is_gray.mean() < 0.97  # the others are the hatching
    assert _colorfulness(crossed_out) < _colorfulness(colored) / 2


@pytest.mark.parametrize(
    ("fidelity", "color", "words"),
    [
        (ASSESSED.fidelity, GOOD, "Better than chance (p = "),
        (DOUBTFUL, BAD, "No better than chance (p = 1.00): do not rely on this map"),
        (None, UNKNOWN, "Fidelity not measured"),
        (replace(DOUBTFUL, verdict=None), UNKNOWN, "Fidelity not measured"),
    ],
)
def test_the_verdict_is_said_in_words_and_color(
    fidelity: MapFidelity | None, color: tuple[int, int, int], words: str
) -> None:
    saliency = replace(EXACT, fidelity=fidelity)

    assert verdict_words(saliency).startswith(words)
    assert _banner(saliency) == color


def test_a_preview_is_called_so() -> None:
    assert map_words(PREVIEW) == "Preview, estimated error 50% of the largest response"
    assert map_words(ASSESSED) == "Exact map; fidelity +0.300, best of 2 controls +0.200"


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (OcclusionMethod(window=32), "Occlusion: window 32, stride 5, fill zero, codec int8, signed no."),
        (AttentionMethod(positive_items=("a", "b")), "Attention: form siamese_positive, positive_items 2."),
        (ActivationMethod(), "Activation: signed no."),
        (ActivationMethod(point=Point(3, 4)), "Activation: point row 3, column 4, signed no."),
    ],
)
def test_the_method_is_told_with_its_parameters(
    method: OcclusionMethod | AttentionMethod | ActivationMethod, words: str
) -> None:
    assert method_words(replace(DONE, method=method)) == f"{words} Model {'ab' * 6}."


@pytest.mark.parametrize(
    ("method", "contrast", "side", "unit"),
    [
        (OcclusionMethod(), "", ExplainedImage.RESULT, "change of the embeddings' distance"),
        (OcclusionMethod(), "other", ExplainedImage.QUERY, "difference of two changes of the embeddings' distance"),
        (ActivationMethod(), "", ExplainedImage.RESULT, "part of the score"),
        (AttentionMethod(), "", ExplainedImage.QUERY, "without a unit"),
    ],
)
def test_the_legend_has_a_unit(
    method: OcclusionMethod | AttentionMethod | ActivationMethod, contrast: str, side: ExplainedImage, unit: str
) -> None:
    explanation = replace(DONE, method=method, contrast_item=contrast)

    assert unit in scale_words(explanation, replace(EXACT, explained_image=side))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("picture", [None, GRAY, Picture(np.zeros((9, 300, 3), np.uint8), is_whole=True)])
def test_any_number_of_pictures_of_any_shape_is_drawn(picture: Picture | None, signed: bool) -> None:
    values = -PEAK if signed else np.zeros((4, 4), np.float32)
    panels = [Panel("Query", ("q" * 300,), picture, replace(EXACT, signed=signed, values=values))] * 3

    assert explanation_figure("Why " * 200, panels, DONE).width == GAP + 3 * (SIDE + GAP)


@pytest.mark.parametrize(
    "text", ["a few short words", "w" * 200, "", "one " + "x" * 60 + " two", "\N{GRINNING FACE} é"]
)
def test_text_is_wrapped_within_the_width(text: str) -> None:
    lines = wrapped(text, size=14, width=200)

    font = ImageFont.load_default(14)
    assert all(font.getlength(line) <= 200 for line in lines)
    if text.count("w") < 200:
        assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\N{GRINNING FACE}", "?")
    else:
        assert lines[-1].endswith("...")


def test_a_figure_is_an_rgb_image() -> None:
    figure = explanation_figure("Why", [Panel("Item", ("r",), GRAY, EXACT)], DONE)

    assert isinstance(figure, Image.Image)
    assert figure.mode == "RGB"
