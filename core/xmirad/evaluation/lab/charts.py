"""Charts of what the lab found, as SVG. Needs the extra `lab` (matplotlib); without it there are none.

matplotlib, because the paper's figures are made with it too, it draws SVG without a browser or script, and a chart of
text turned to paths looks the same everywhere.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from xmirad.evaluation.lab.detecting import OTHER_DATA
from xmirad.evaluation.lab.findings import Calibration, Confusion, Curve, Detection, LabFindings, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (5.0, 4.0)
PALETTE = ("#000000", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Okabe and Ito's colors, which color-blind readers can tell apart."""
SETTINGS = {
    "svg.fonttype": "path",
    "svg.hashsalt": "xmirad",
    "text.parse_math": False,  # a label may hold dollars
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of some figures.

    Attributes:
        title: What it shows.
        alt: The same in a sentence, for readers who do not see it.
        svg: The picture.
    """

    title: str
    alt: str
    svg: bytes


def can_draw() -> bool:
    """Return whether the package that draws is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def lab_charts(lab: LabFindings) -> list[Chart]:
    """Return the charts, as far as there is anything to show; none where the package that draws is not installed.

    Equal findings give equal bytes.
    """
    if not can_draw():
        return []
    colors = {curve.name: PALETTE[number % len(PALETTE)] for number, curve in enumerate(lab.curves)}
    found = [
        _chart(
            "Precision by recall",
            "Mean interpolated precision at each recall, over all queries and by class.",
            lambda axes: _precision_recall(axes, lab.curves, colors),
        ),
        _chart(
            "First result by class of the query",
            "Share of the queries of each class whose first result is of each class.",
            lambda axes: _confusion(axes, lab.confusion),
        ),
    ]
    calibration = lab.calibration
    if calibration is not None:
        found.append(
            _chart(
                "Reliability of the confidence",
                "Share of correct answers by stated confidence, before and after fitting the temperature.",
                lambda axes: _reliability(axes, calibration),
            )
        )
    if lab.detections:
        found.append(
            _chart(
                "Telling the unknown",
                "Share of unknown images found by the share of known ones taken for unknown.",
                lambda axes: _detection(axes, lab.detections, colors),
            )
        )
    return found


def _chart(title: str, alt: str, draw: "Callable[[Axes], None]") -> Chart:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        buffer = BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Chart(title, alt, buffer.getvalue())


def _precision_recall(axes: "Axes", curves: tuple[Curve, ...], colors: Mapping[str, str]) -> None:
    for curve in curves:
        recall = [step / (len(curve.precision) - 1) for step in range(len(curve.precision))]
        axes.plot(recall, curve.precision, color=colors[curve.name], label=f"{curve.name} ({curve.query_count})")
    _shares(axes, "Recall", "Precision")
    axes.legend(frameon=False)


def _confusion(axes: "Axes", confusion: Confusion) -> None:
    shares = [[count / max(sum(row), 1) for count in row] for row in confusion.counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(confusion.found)), [name or "no label" for name in confusion.found])
    axes.set_yticks(range(len(confusion.labels)), confusion.labels)
    axes.set_xlabel("Class of the first result")
    axes.set_ylabel("Class of the query")
    for row, counts in enumerate(confusion.counts):
        for column, count in enumerate(counts):
            dark = shares[row][column] > 0.5
            axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")


def _reliability(axes: "Axes", calibration: Calibration) -> None:
    axes.plot([0, 1], [0, 1], color="#888888", linestyle=":", label="perfect")
    _bins(axes, calibration.before, "temperature 1", color=PALETTE[2], marker="s")
    _bins(axes, calibration.after, "fitted", color=PALETTE[1], marker="o")
    _shares(axes, "Confidence", "Share of correct answers")
    axes.legend(frameon=False)


def _bins(axes: "Axes", reliability: Reliability, name: str, *, color: str, marker: str) -> None:
    label = f"{name}, ECE {reliability.calibration_error.value:.3f}"
    confidences = [each.confidence for each in reliability.bins]
    axes.plot(confidences, [each.accuracy for each in reliability.bins], color=color, marker=marker, label=label)


def _detection(axes: "Axes", detections: tuple[Detection, ...], colors: Mapping[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color="#888888", linestyle=":", label="chance")
    for detection in detections:
        allowed = [step / (len(detection.curve) - 1) for step in range(len(detection.curve))]
        label = f"{detection.name}, AUROC {detection.figures.auroc.value:.3f}"
        style = "-" if detection.kind == OTHER_DATA else "--"
        color = colors.get(detection.name, PALETTE[0])
        axes.plot(allowed, detection.curve, style, color=color, label=label)
    _shares(axes, "Known images taken for unknown", "Unknown images found")
    axes.legend(frameon=False)


def _shares(axes: "Axes", horizontal: str, vertical: str) -> None:
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
