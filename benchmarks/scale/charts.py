"""Growth curves as pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.scale.cells import INDEXES, Json
from benchmarks.scale.coefficients import COMPARED, total, value_of
from xmirad.planning.growth import Quantity

Value = Callable[[Json], float]
COLORS = {"flat": "#1f77b4", "int8": "#2ca02c", "hnsw": "#d62728"}
INCHES = (9.0, 3.6)
DPI = 100
MEGABYTE = 1e6


def _memory(cell: Json) -> float:
    return total(cell, COMPARED["memory"]) / MEGABYTE


def _answer(kind: str, figure: Callable[[Json], float]) -> Value:
    return lambda cell: figure(cell["asked"]["answers"][kind])


def _processor(answer: Json) -> float:
    return float(answer["latency"]["cpu_p50"])


def _recall(answer: Json) -> float:
    return float(answer["recall"])


PICTURES: dict[str, tuple[tuple[str, Value], ...]] = {
    "scale-search": (
        ("search, CPU ms (median)", _answer("plain", _processor)),
        ("search in 1 % of the items, CPU ms (median)", _answer("site of 1 %", _processor)),
    ),
    "scale-size": (
        ("memory, own and mapped, MB", _memory),
        ("disk, MB", lambda cell: total(cell, COMPARED["disk"]) / MEGABYTE),
    ),
    "scale-building": (
        ("building, CPU s", lambda cell: value_of(cell, Quantity.BUILD_SECONDS)),
        ("recall@10 against exact", _answer("plain", _recall)),
    ),
}


def draw(document: Json, folder: Path) -> list[Path]:
    """Write every picture into a folder and return the files."""
    cells = [cell for cell in document["cells"] if "asked" in cell]
    written = []
    for name, panels in PICTURES.items():
        with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
            figure = Figure(figsize=INCHES, layout="constrained")
            axes = figure.subplots(1, len(panels))
            for one, (title, value) in zip(axes, panels, strict=True):
                _panel(one, title, value, cells)
            axes[0].legend(fontsize=8)
            written.append(folder / f"{name}.png")
            figure.savefig(written[-1], dpi=DPI, metadata={"Software": None})
    return written


def _panel(axes: Axes, title: str, value: Value, cells: Sequence[Json]) -> None:
    sizes = sorted({cell["embedding_size"] for cell in cells}, reverse=True)
    for index in INDEXES:
        for size in sizes:
            points = [cell for cell in cells if (cell["index"], cell["embedding_size"]) == (index.value, size)]
            style = "-o" if size == sizes[0] else "--s"
            label = f"{index.value}, {size} components"
            items = [cell["items"] for cell in points]
            axes.plot(items, [value(cell) for cell in points], style, color=COLORS[index], label=label, markersize=4)
    axes.set_xscale("log")
    if "recall" not in title:
        axes.set_yscale("log")
    axes.set_xlabel("items")
    axes.set_title(title, fontsize=9)
