"""Pictures of figures, as small SVG files that are the same bytes for the same figures."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

STYLE = {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 8, "font.family": "sans-serif"}
MET, MISSED, NEUTRAL = "#1a7f5a", "#c0392b", "#5b6b7b"
WIDTH_INCHES, ROW_INCHES, HEAD_INCHES = 8.0, 0.2, 0.9
PER_SECOND = "windows per second, "


@dataclass(frozen=True, slots=True)
class Share:
    """How a ratio stands to its target, turned so that 1 and more is good.

    Attributes:
        name: The figure, with its suite.
        low: Worse end of the interval.
        middle: The ratio.
        high: Better end of the interval.
    """

    name: str
    low: float
    middle: float
    high: float


def shares(document: Mapping[str, Any]) -> Iterator[Share]:
    """Yield every figure that has a target and a ratio above zero."""
    for suite, measured in document["suites"].items():
        for name, figure in measured["figures"].items():
            limit, ratio = figure["target"], figure["ratio"]
            if not limit or ratio <= 0:
                continue
            ends = [max(end, ratio / 1_000) for end in figure["interval"] or (ratio, ratio)]
            turned = [value / limit if figure["better"] == "higher" else limit / value for value in (*ends, ratio)]
            yield Share(f"{suite}: {name}", min(turned[:2]), turned[2], max(turned[:2]))


def draw_targets(document: Mapping[str, Any], file: Path) -> None:
    """Draw all figures that have a target as a forest plot, on a logarithmic axis."""
    rows = list(shares(document))
    with mpl.rc_context(STYLE):
        canvas, axes = _canvas(len(rows))
        for place, row in enumerate(rows):
            color = MET if row.middle >= 1 else MISSED
            axes.plot([row.low, row.high], [place, place], color=color, linewidth=1.5)
            axes.plot([row.middle], [place], marker="s", markersize=4, color=color)
        axes.axvline(1, color=NEUTRAL, linewidth=0.8)
        axes.set_xscale("log")
        _label(axes, [row.name for row in rows])
        axes.set_xlabel("ratio over its target: right of 1 is better")
        _save(canvas, file)


def draw_occlusion(document: Mapping[str, Any], file: Path) -> None:
    """Draw windows per second of every model by the product and by each baseline."""
    found = document["suites"]["occlusion"]["figures"]
    bars: dict[str, tuple[float, str]] = {}
    for name, figure in found.items():
        model, parted, rival = name.partition(f", {PER_SECOND}")
        if parted:
            bars.setdefault(f"{model}: X-MIRAD", (figure["value"], MET))
            bars[f"{model}: {rival}"] = (figure["baseline_value"], NEUTRAL)
    with mpl.rc_context(STYLE):
        canvas, axes = _canvas(len(bars))
        values, colors = [value for value, _ in bars.values()], [color for _, color in bars.values()]
        axes.barh(range(len(bars)), values, color=colors)
        for place, value in enumerate(values):
            axes.text(value, place, f" {value:.3g}", va="center")
        _label(axes, list(bars))
        axes.set_xlabel("masked copies embedded and scored per second")
        _save(canvas, file)


def draw_load(document: Mapping[str, Any], file: Path) -> None:
    """Draw what 1 to 64 clients get: answers a second, and how long they wait."""
    found = document["suites"]["load"]["figures"]
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH_INCHES, 2.8), layout="constrained")
        rate, wait = canvas.subplots(1, 2)
        for how, color in (("item", MET), ("image", NEUTRAL)):
            _curve(rate, found, f"by {how}, {{}}, searches per second", label=f"by {how}", color=color)
            for percent, line in ((50, "-"), (95, "--"), (99, ":")):
                label = f"by {how}, p{percent}"
                _curve(wait, found, f"by {how}, {{}}, p{percent}", label=label, color=color, line=line)
        for axes, unit in ((rate, "searches answered per second"), (wait, "milliseconds")):
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xlabel("clients at the same time")
            axes.set_ylabel(unit)
            axes.legend(frameon=False)
        wait.set_yscale("log")
        _save(canvas, file)


def _curve(axes: Axes, found: Mapping[str, Any], pattern: str, *, label: str, color: str, line: str = "-") -> None:
    before, after = pattern.split("{}")
    points = {
        int(name.removeprefix(before).split()[0]): figure["value"]
        for name, figure in found.items()
        if name.startswith(before) and name.endswith(after)
    }
    axes.plot(list(points), list(points.values()), line, marker=".", color=color, label=label)


def _canvas(rows: int) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(WIDTH_INCHES, HEAD_INCHES + ROW_INCHES * rows), layout="constrained")
    axes = canvas.subplots()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return canvas, axes


def _label(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x", linewidth=0.3)
    if axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        axes.set_xlim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))


def _save(canvas: Canvas, file: Path) -> None:
    canvas.savefig(file, format="svg", metadata={"Date": None})
    text = file.read_text("utf-8")
    file.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")
