"""What a grid of maps shows: panels of queries, their results, and a map on each result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xmirad.client.explanation_types import Method
from xmirad.evaluation.map_asking import Pair, pair_of
from xmirad.figures.choosing import Case, Panel
from xmirad.figures.maps import MapOutcome, WantedMap
from xmirad.figures.subject import Subject


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A grid of maps.

    Attributes:
        name: Name of the figure.
        subject: The archive whose model found the results.
        explained: The archive whose model the maps are of; the same, or that of the control.
        panels: The queries.
        method: The method of the maps.
    """

    name: str
    subject: Subject
    explained: Subject
    panels: tuple[Panel, ...]
    method: Method

    @property
    def is_control(self) -> bool:
        """Whether the maps are of another model than the results."""
        return self.explained is not self.subject

    @property
    def cases(self) -> tuple[Case, ...]:
        """The rows of all panels."""
        return tuple(case for panel in self.panels for case in panel.cases)

    @property
    def columns(self) -> int:
        """How many results a row has at most."""
        return max((len(case.ranked.results) for case in self.cases), default=0)

    def wanted(self, case: Case, result: int) -> WantedMap | None:
        """Return the map on a result of a case; None if the model of the maps could not store one of both images."""
        pair = pair_across(self.subject, self.explained, case.ranked.query, result)
        return None if pair is None else WantedMap(pair, self.method)

    def all_wanted(self) -> Iterator[WantedMap]:
        """Yield every map of the grid."""
        for case in self.cases:
            for result in case.ranked.results:
                wanted = self.wanted(case, result)
                if wanted is not None:
                    yield wanted


def pair_across(subject: Subject, other: Subject, query: int, result: int) -> Pair | None:
    """Return the same two images as a pair of another archive; None if one of them is not there.

    Args:
        subject: The archive that the positions are of.
        other: The other archive of the same data set, or the same one.
        query: Position of the query.
        result: Position of the result.
    """
    places = {index: position for position, index in enumerate(other.archive.indices)}
    found = [places.get(subject.archive.indices[position]) for position in (query, result)]
    if found[0] is None or found[1] is None:
        return None
    return pair_of(other.run, other.archive, found[0], found[1])


def case_numbers(grid: Grid, maps: Mapping[WantedMap, MapOutcome]) -> list[dict[str, object]]:
    """Return the rows of a grid as JSON values."""
    return [_case(grid, panel, case, maps) for panel in grid.panels for case in panel.cases]


def _case(grid: Grid, panel: Panel, case: Case, maps: Mapping[WantedMap, MapOutcome]) -> dict[str, object]:
    ranked = case.ranked
    rows = zip(ranked.results, ranked.scores, ranked.relevant, strict=True)
    return {
        "panel": panel.letter,
        "class": case.label,
        "query": grid.subject.file(ranked.query),
        "correct": ranked.correct,
        "queries_like_it": case.alike,
        "queries_of_class": case.others,
        "results": [
            {
                "file": grid.subject.file(result),
                "labels": list(grid.subject.items[result].attributes.labels),
                "score": score,
                "relevant": relevant,
                "same_patient": grid.subject.is_same_patient(ranked.query, result),
                "largest": largest_of(maps, grid.wanted(case, result)),
            }
            for result, score, relevant in rows
        ],
    }


def largest_of(maps: Mapping[WantedMap, MapOutcome], wanted: WantedMap | None) -> float | None:
    """Return the largest value of a map, which its colors are scaled by; None where there is no map."""
    outcome = None if wanted is None else maps.get(wanted)
    values = getattr(outcome, "values", None)
    return None if values is None else float(abs(values).max())


def panel_notes(panels: Sequence[Panel]) -> Iterator[str]:
    """Yield what must be said of rows that are not what their panel promises."""
    for panel in panels:
        name = f"({panel.letter}) " if panel.letter else ""
        for case in panel.cases:
            if case.alike == 0:
                total = len(case.ranked.results)
                nearest = f"shown is the nearest to it, {case.ranked.correct} of {total} correct"
                yield f"{name}No query of {case.label} is like that; {nearest}."
        if panel.absent:
            yield f"{name}No query of {', '.join(panel.absent)} comes near it, so none is shown."
