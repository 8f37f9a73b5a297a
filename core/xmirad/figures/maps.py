"""The maps of all figures, each asked for once, however many figures show it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from xmirad.client.explanation_types import Explanation, ExplanationMap, Method
from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.evaluation.map_asking import Pair, ask, failed_map, follow, in_parallel, why_without_map
from xmirad.evaluation.options import Progress, SaliencyOptions, Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.saliency_figures import method_name
from xmirad.figures.service import FiguresService


@dataclass(frozen=True, slots=True)
class WantedMap:
    """A map on the result of a pair; the pair's items say by which model.

    Attributes:
        pair: The pair.
        method: The method.
    """

    pair: Pair
    method: Method


COMPUTED_SECONDS = 0.5
"""A map that comes sooner was there already, and says nothing of the others."""
MapOutcome = ExplanationMap | Failure


class MapBook:
    """Asks for maps behind every reader, and keeps them."""

    def __init__(
        self, service: FiguresService, options: SaliencyOptions, progress: Progress, *, tell: Callable[[str], None]
    ) -> None:
        """Begin with no maps.

        Args:
            service: The running service, which can explain.
            options: How many maps are under way at a time, and how long one is waited for.
            progress: Is told of every map.
            tell: Is told in a sentence how many maps there are, and how long all of them will take.
        """
        self._tell = tell
        self._is_estimated = False
        self._service = service
        self._options = options
        self._progress = progress
        self._planned: set[WantedMap] = set()
        self._maps: dict[WantedMap, MapOutcome] = {}

    def plan(self, wanted: Iterable[WantedMap]) -> None:
        """Count maps that will be asked for later, so that progress knows of them."""
        self._planned.update(wanted)

    def announce(self) -> None:
        """Tell how many maps are planned, by method."""
        counts = Counter(str(method_name(each.method)) for each in self._planned)
        if counts:
            listed = ", ".join(f"{count} by {name}" for name, count in sorted(counts.items()))
            self._tell(f"{counts.total()} maps to show: {listed}; those computed before cost nothing")

    def maps(self, wanted: Iterable[WantedMap]) -> Mapping[WantedMap, MapOutcome]:
        """Return maps, or why there are none.

        Raises:
            BackendUnavailableError: If the service breaks off.
        """
        asked = tuple(dict.fromkeys(wanted))
        self.plan(asked)
        missing = [each for each in asked if each not in self._maps]
        begin = time.monotonic()
        for each, outcome in in_parallel(self._explained, missing, in_flight=self._options.in_flight):
            self._maps[each] = outcome
            begin = self._estimated(begin)
            self._progress(Stage.EXPLAIN, len(self._maps), len(self._planned))
        return {each: self._maps[each] for each in asked}

    def _estimated(self, begin: float) -> float:
        """Tell once how long all maps take at the speed of the first that was not there already; return the time."""
        now = time.monotonic()
        if now - begin >= COMPUTED_SECONDS and not self._is_estimated:
            self._is_estimated = True
            left = len(self._planned) - len(self._maps)
            self._tell(f"a map took {now - begin:.1f} s: {left} more take up to about {left * (now - begin):.0f} s")
        return now

    def _explained(self, wanted: WantedMap) -> tuple[WantedMap, MapOutcome]:
        pair, method = wanted.pair, wanted.method
        try:
            created = ask(self._service, pair, method, self._options, published_fidelity=False)
            done = follow(self._service, created, self._options, until=_is_done)
        except BackendUnavailableError:
            raise
        except XmiradError as error:
            return wanted, failed_map(pair, method, error.reason, error.message)
        lacking = why_without_map(done)
        if lacking is None and done.is_done and done.maps:
            return wanted, done.maps[0]
        return wanted, failed_map(pair, method, *(lacking or ("MAP_MISSING", "it was not computed in time")))


def failure_lines(failures: Iterable[Failure]) -> list[str]:
    """Return a line for each map that could not be had."""
    return [f"{failure.file}: {failure.message} [{failure.reason}]" for failure in failures]


def _is_done(explanation: Explanation) -> bool:
    return explanation.is_done
