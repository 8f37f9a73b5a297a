"""Figures S3 to S8: queries, their first results, and a map on each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from xmirad.client.explanation_types import ExplanationMap, Method
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.saliency_figures import described, method_name
from xmirad.figures.canvas import LARGE, NORMAL, SMALL, TWO_COLUMNS, Canvas, Place, shortened
from xmirad.figures.choosing import Case, Panel
from xmirad.figures.grid import Grid, case_numbers, panel_notes
from xmirad.figures.index import DrawnFigure, Number
from xmirad.figures.maps import MapOutcome, WantedMap, failure_lines
from xmirad.figures.palette import CORRECT, INCORRECT, NO_MAP, PALE, QUERY
from xmirad.figures.pictures import Pictures, with_map
from xmirad.saliency.render import blended
from xmirad.types import UInt8Array

_LEFT, _RIGHT, _TITLE, _LEGEND = 0.24, 0.06, 0.32, 0.3
_AFTER_QUERY, _WITHIN, _BETWEEN = 0.16, 0.035, 0.11
_HEADER, _COLUMN_HEADS, _LINE, _AFTER_PANEL = 0.2, 0.15, 0.21, 0.08
_TEXT_GAP, _WIDEST_CELL = 0.045, 1.1
_LEGEND_GRAY = 128
_LONG_LABEL = 17
ORDINALS = ("1st", "2nd", "3rd")


def draw_grid(grid: Grid, maps: Mapping[WantedMap, MapOutcome], pictures: Pictures, folder: Path) -> DrawnFigure:
    """Draw a grid; a map that could not be had is shown as such.

    Raises:
        AccessDeniedError: If the caller may not see images.
    """
    canvas = _Page(grid, maps, pictures).drawn()
    outcomes = [maps[wanted] for wanted in dict.fromkeys(grid.all_wanted())]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    model = grid.explained.run.model
    numbers: dict[str, Number] = {
        "model": model.display_name,
        "digest": model.digest,
        "n": len(grid.cases),
        "method": described(grid.method),
        "maps": len(outcomes) - len(failures),
        "failed": len(failures),
    }
    return DrawnFigure(
        name=grid.name,
        title=_title(grid),
        caption=_caption(grid, failed=len(failures)),
        file=canvas.save(folder, grid.name),
        numbers=numbers,
        details={"cases": case_numbers(grid, maps), "failed": failure_lines(failures)},
    )


class _Page:
    """Places the cells of a grid."""

    def __init__(self, grid: Grid, maps: Mapping[WantedMap, MapOutcome], pictures: Pictures) -> None:
        self._grid = grid
        self._maps = maps
        self._pictures = pictures
        columns = grid.columns
        gaps = _AFTER_QUERY + columns * _WITHIN + max(columns - 1, 0) * _BETWEEN
        free = TWO_COLUMNS - _LEFT - _RIGHT - gaps
        self._cell = min(free / (1 + 2 * columns), _WIDEST_CELL)
        height = _TITLE + _LEGEND + sum(self._height(panel) for panel in grid.panels)
        self._canvas = Canvas(TWO_COLUMNS, height)

    def drawn(self) -> Canvas:
        """Draw everything."""
        self._canvas.text(_LEFT, 0.06, _title(self._grid), size=LARGE, weight="bold")
        top = _TITLE
        for panel in self._grid.panels:
            self._panel(panel, top)
            top += self._height(panel)
        self._legend(top)
        return self._canvas

    def _height(self, panel: Panel) -> float:
        return _HEADER + _COLUMN_HEADS + len(panel.cases) * (self._cell + _LINE) + _AFTER_PANEL

    def _left_of(self, column: int) -> float:
        """Return where a result begins; its map follows it."""
        first = _LEFT + self._cell + _AFTER_QUERY
        return first + column * (2 * self._cell + _WITHIN + _BETWEEN)

    def _panel(self, panel: Panel, top: float) -> None:
        if panel.letter:
            self._canvas.text(0.04, top, panel.letter, size=LARGE, weight="bold")
        self._canvas.text(_LEFT, top + 0.01, panel.title[:1].upper() + panel.title[1:], size=NORMAL)
        top += _HEADER
        if panel.cases:
            self._heads(top)
        for row, case in enumerate(panel.cases):
            self._case(case, top + _COLUMN_HEADS + row * (self._cell + _LINE))

    def _heads(self, top: float) -> None:
        heads = {_LEFT: "query"}
        for column in range(self._grid.columns):
            rank = ORDINALS[column] if column < len(ORDINALS) else f"{column + 1}th"
            heads[self._left_of(column)] = f"{rank} result"
            heads[self._left_of(column) + self._cell + _WITHIN] = "map"
        for left, text in heads.items():
            self._canvas.text(left, top, text, size=SMALL, color=PALE)

    def _case(self, case: Case, top: float) -> None:
        ranked, canvas = case.ranked, self._canvas
        middle, size = top + self._cell / 2, NORMAL if len(case.label) < _LONG_LABEL else SMALL
        label = shortened(case.label, 22)
        canvas.text(_LEFT - 0.05, middle, label, size=size, rotation=90, ha="right", va="center")
        canvas.image(self._place(_LEFT, top), self._picture(ranked.query), QUERY)
        if case.alike == 0:
            words = f"{ranked.correct} of {len(ranked.results)} correct"
            canvas.text(_LEFT, top + self._cell + _TEXT_GAP, words, size=SMALL, color=PALE)
        rows = zip(ranked.results, ranked.scores, ranked.relevant, strict=True)
        for column, (result, score, relevant) in enumerate(rows):
            left, color = self._left_of(column), CORRECT if relevant else INCORRECT
            picture = self._picture(result)
            canvas.image(self._place(left, top), picture, color)
            self._map(case, result, picture, self._place(left + self._cell + _WITHIN, top), color)
            labels = ", ".join(self._grid.subject.items[result].attributes.labels)
            mark = "\u2713" if relevant else "\u2717"
            below = top + self._cell + _TEXT_GAP
            width = int((self._cell * 1.62) / 0.056)
            canvas.text(left, below, shortened(f"{mark} {labels}", width), size=SMALL, color=color)
            right = left + 2 * self._cell + _WITHIN
            canvas.text(right, below, f"{score:.3f}", size=SMALL, ha="right")

    def _picture(self, position: int) -> UInt8Array:
        return self._pictures.of(self._grid.subject.archive.names[position])

    def _place(self, left: float, top: float) -> Place:
        return Place(left, top, self._cell, self._cell)

    def _map(self, case: Case, result: int, picture: UInt8Array, place: Place, color: str) -> None:
        wanted = self._grid.wanted(case, result)
        outcome = None if wanted is None else self._maps[wanted]
        if isinstance(outcome, ExplanationMap):
            self._canvas.image(place, with_map(picture, outcome), color)
            return
        self._canvas.box(place, NO_MAP, border=color)
        reason = "not stored" if outcome is None else outcome.reason.lower().replace("_", " ")
        words = "no map:\n" + reason.replace(" ", "\n")
        middle = (place.left + place.width / 2, place.top + place.height / 2)
        self._canvas.text(*middle, words, size=SMALL, ha="center", va="center")

    def _legend(self, top: float) -> None:
        left, line = _LEFT, top + 0.06
        for text, color in (("query", QUERY), ("correct", CORRECT), ("incorrect", INCORRECT)):
            self._canvas.box(Place(left, line, 0.13, 0.13), "none", border=color)
            self._canvas.text(left + 0.2, line + 0.005, text, size=SMALL)
            left += 0.34 + 0.062 * len(text)
        self._canvas.text(left, line + 0.005, "number: cosine similarity", size=SMALL)
        right = TWO_COLUMNS - _RIGHT
        self._canvas.text(right, line + 0.005, "its maximum", size=SMALL, ha="right")
        ramp = np.linspace(0, 1, 256, dtype=np.float32)[None, :]
        gray = np.full((1, 256, 3), _LEGEND_GRAY, dtype=np.uint8)
        self._canvas.image(Place(right - 1.85, line, 1.15, 0.13), blended(gray, ramp, signed=False), PALE, width=0.6)
        self._canvas.text(right - 1.92, line + 0.005, "each map: 0", size=SMALL, ha="right")


def _title(grid: Grid) -> str:
    weights = ", random weights" if grid.is_control else ""
    name = str(method_name(grid.method))
    return f"{name[:1].upper()}{name[1:]} maps{weights}, {grid.subject.run.dataset.name}"


def _caption(grid: Grid, *, failed: int) -> str:
    letters = "; ".join(f"({panel.letter}) {panel.title}" for panel in grid.panels if panel.letter)
    chosen = f"one query of each class, drawn by the seed: {letters}" if letters else "chosen queries"
    subject = grid.subject
    lines = [
        f"{_kind(grid.method)} on the first results of {subject.run.dataset.name} (n = {len(subject.items)} images, "
        f"{len(grid.cases)} queries), ranked by {subject.model_words}: {chosen}.",
        "The query is framed in blue, correct results (same class) in green, incorrect ones in red. Beside every "
        "result stands its map: the stronger and the more yellow the color, the more the place speaks for the match.",
        "Each map is scaled by its own maximum, so maps do not compare in strength.",
    ]
    if grid.is_control:
        lines.append(
            f"The maps are those of {grid.explained.model_words}, the same network with random weights, for the same "
            "queries and results: what they show too was not learned."
        )
    lines += panel_notes(grid.panels)
    if any(_same_patients(grid, case) for case in grid.cases):
        lines.append("Some results show the query's own patient (`same_patient` in the details).")
    if failed:
        lines.append(f"Maps that could not be had: {failed}; they are shown in gray.")
    return " ".join(lines)


def _kind(method: Method) -> str:
    text = described(method)
    name, _, parameters = text.partition(", ")
    return f"{name[:1].upper()}{name[1:]} maps" + (f" ({parameters})" if parameters else "")


def _same_patients(grid: Grid, case: Case) -> bool:
    return any(grid.subject.is_same_patient(case.ranked.query, result) for result in case.ranked.results)
