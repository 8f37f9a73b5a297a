"""The figure that the paper lacks: how far maps of trained and of random weights are alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.evaluation.report_parts import Failure
from xmirad.figures.canvas import LARGE, NORMAL, SMALL, TWO_COLUMNS, Canvas, Place
from xmirad.figures.catalog import SANITY
from xmirad.figures.index import DrawnFigure, Number
from xmirad.figures.maps import failure_lines
from xmirad.figures.palette import INK, PALE
from xmirad.figures.sanity import (
    COMPARISONS,
    OTHER_PAIRS,
    OTHER_PAIRS_RANDOM,
    RANK_CORRELATION,
    SAME_PAIR,
    SSIM,
    Comparison,
)
from xmirad.figures.subject import Subject
from xmirad.metrics.bootstrap import bootstrap_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {SAME_PAIR: "#d55e00", OTHER_PAIRS: "#0072b2", OTHER_PAIRS_RANDOM: "#8a8a8a"}
WORDS = {
    SAME_PAIR: "trained and random weights, same images",
    OTHER_PAIRS: "trained weights, other images",
    OTHER_PAIRS_RANDOM: "random weights, other images",
}
NAMES = {SSIM: "SSIM", RANK_CORRELATION: "rank correlation"}
TITLES = {SSIM: "structural similarity (SSIM)", RANK_CORRELATION: "rank correlation (Spearman)"}
_LEFT, _GAP, _RIGHT, _TITLE, _METHOD_HEIGHT, _BELOW = 0.85, 0.4, 0.12, 0.5, 0.78, 0.64
_BOX, _JITTER = 0.2, 0.07
_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class SanityCheck:
    """What is drawn.

    Attributes:
        subject: The archive of the evaluated model.
        control: That of random weights.
        methods: The comparisons by method, in the order that they are drawn in.
        pairs: On how many pairs of images each method has both maps.
        wanted: On how many pairs it was to have them.
        failures: The maps that could not be had.
        seed: That of the draw.
    """

    subject: Subject
    control: Subject
    methods: Mapping[str, Sequence[Comparison]]
    pairs: Mapping[str, int]
    wanted: int
    failures: Sequence[Failure]
    seed: int


def draw_sanity(check: SanityCheck, folder: Path) -> DrawnFigure:
    """Draw the distributions of all comparisons.

    Raises:
        InvalidRequestError: If no method has a pair with both maps.
    """
    if not any(check.pairs.values()):
        raise InvalidRequestError("no pair of images has the maps of both models", field="pairs_per_class")
    return DrawnFigure(
        name=SANITY,
        title=f"Maps of trained and of random weights, {check.subject.run.dataset.name}",
        caption=_caption(check),
        file=_canvas(check).save(folder, SANITY),
        numbers=_numbers(check),
        details={"methods": _details(check), "failed": failure_lines(check.failures)},
    )


def _canvas(check: SanityCheck) -> Canvas:
    rows = len(check.methods)
    canvas = Canvas(TWO_COLUMNS, _TITLE + rows * _METHOD_HEIGHT + _BELOW)
    name = check.subject.run.dataset.name
    canvas.text(0.06, 0.06, f"Maps of trained and of random weights, {name}", size=LARGE, weight="bold")
    width = (TWO_COLUMNS - _LEFT - _GAP - _RIGHT) / 2
    for column, measure in enumerate(TITLES):
        axes = canvas.axes(_LEFT + column * (width + _GAP), _TITLE, width, rows * _METHOD_HEIGHT)
        _measure(axes, check, measure, has_names=column == 0)
    left = _LEFT
    for against in COMPARISONS:
        canvas.box(Place(left, canvas.height - 0.215, 0.11, 0.11), COLORS[against])
        canvas.text(left + 0.17, canvas.height - 0.22, WORDS[against], size=SMALL)
        left += 0.36 + 0.0515 * len(WORDS[against])
    return canvas


def _measure(axes: "Axes", check: SanityCheck, measure: str, *, has_names: bool) -> None:
    for row, comparisons in enumerate(check.methods.values()):
        for place, comparison in enumerate(each for each in comparisons if each.measure == measure):
            _distribution(axes, comparison, row + (place - 1) * 0.28)
    count = len(check.methods)
    for row in range(1, count):
        axes.axhline(row - 0.5, color="#dddddd", linewidth=0.6, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.6, linestyle=(0, (3, 3)), zorder=0)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xlim(-1.02, 1.02)
    names = [f"{method}\n{check.pairs[method]} pairs" for method in check.methods]
    axes.set_yticks(range(count), names if has_names else [""] * count, fontsize=NORMAL)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS], fontsize=NORMAL)
    axes.set_title(TITLES[measure], fontsize=NORMAL, pad=4)
    axes.set_xlabel("0: unlike, 1: equal", fontsize=SMALL, labelpad=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _distribution(axes: "Axes", comparison: Comparison, height: float) -> None:
    values, color = comparison.values, COLORS[comparison.against]
    if not len(values):
        axes.text(0.0, height, "undefined", size=SMALL, color=color, ha="center", va="center")
        return
    offsets = np.random.default_rng(0).uniform(-_JITTER, _JITTER, size=len(values))
    axes.scatter(values, height + offsets, s=5, color=color, alpha=0.35, linewidths=0, zorder=1)
    line = {"color": INK, "linewidth": 0.8}
    axes.boxplot(
        values,
        positions=[height],
        widths=_BOX,
        orientation="horizontal",
        manage_ticks=False,
        showfliers=False,
        whis=(5, 95),  # codespell:ignore
        patch_artist=True,
        boxprops={"facecolor": "none", "edgecolor": color, "linewidth": 1.0},
        medianprops={"color": INK, "linewidth": 1.6},
        whiskerprops=line | {"color": color},
        capprops=line | {"color": color},
        zorder=2,
    )


def _numbers(check: SanityCheck) -> dict[str, Number]:
    model, control = check.subject.run.model, check.control.run.model
    numbers: dict[str, Number] = {
        "model": model.display_name,
        "digest": model.digest,
        "control": control.display_name,
        "control digest": control.digest,
        "n": check.wanted,
        "seed": check.seed,
    }
    for method, comparisons in check.methods.items():
        for each in comparisons:
            if len(each.values):
                numbers[f"{method}, {NAMES[each.measure]}, {WORDS[each.against]}"] = float(each.values.mean())
    return numbers


def _details(check: SanityCheck) -> dict[str, Any]:
    return {
        method: {"pairs": check.pairs[method]}
        | {
            measure: {each.against: _summary(each, check.seed) for each in comparisons if each.measure == measure}
            for measure in TITLES
        }
        for method, comparisons in check.methods.items()
    }


def _summary(comparison: Comparison, seed: int) -> dict[str, Any]:
    values = comparison.values
    if not len(values):
        return {"n": 0, "undefined": comparison.undefined}
    mean = bootstrap_interval(values, seed=seed)
    low, quarter, median, three_quarters, high = (float(each) for each in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    summary: dict[str, Any] = {
        "n": len(values),
        "undefined": comparison.undefined,
        "mean": mean.value,
        "median": median,
        "quartiles": [quarter, three_quarters],
        "range": [low, high],
    }
    if comparison.against == SAME_PAIR:  # pairs of pairs are not independent of each other
        summary["mean_interval"] = [mean.low, mean.high]
    return summary


def _caption(check: SanityCheck) -> str:
    lines = [
        f"Sanity check after Adebayo et al. (2018): are the maps of {check.subject.model_words} and of "
        f"{check.control.model_words}, the same network with random weights, alike?",
        f"n = {check.wanted} pairs of {check.subject.run.dataset.name}, drawn by class (seed {check.seed}), each a "
        "query and its first result; both models' maps are on that result.",
        "Boxes: quartiles and median; whiskers: 5 % to 95 %; dots: single comparisons.",
        "Orange well above blue: random weights give much the same map of an image, so that it follows the image and "
        "not what was learned. Orange no higher than blue: both models' maps of an image have no more in common than "
        "the trained model's maps of unrelated images. Blue near 1: the method gives much the same map whatever the "
        "image, so that a map says little about it.",
    ]
    for method, pairs in check.pairs.items():
        if pairs < check.wanted:
            lines.append(
                f"Left out of {method}, because a map is lacking: {check.wanted - pairs} of {check.wanted} pairs."
            )
    return " ".join(lines)
