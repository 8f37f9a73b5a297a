"""A reader who explains through a running system, and what its workers need."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.clock import resident_bytes
from benchmarks.service import Service
from xmirad.client.explanation_types import Explanation, OcclusionMethod
from xmirad.client.search_types import SearchSource
from xmirad.saliency.method import ExplainedImage

EXPLAINER = "xmirad_explainer"
SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Waited:
    """How long a reader waited.

    Attributes:
        preview: Seconds to the first map.
        exact: Seconds to the exact one.
    """

    preview: float
    exact: float


def explain(running: Service, source: SearchSource, item: str, method: OcclusionMethod) -> Waited:
    """Explain a result and return when its fidelity, which is of no concern here, has been computed too."""
    began, preview, exact = time.monotonic(), 0.0, 0.0
    for explanation in running.client.explain(source, item, method=method):
        _check(explanation)
        waited = time.monotonic() - began
        preview = preview or (waited if explanation.maps else 0.0)
        exact = exact or (waited if explanation.is_done else 0.0)
    return Waited(preview, exact)


def explain_on_query(running: Service, source: SearchSource, items: Sequence[str], method: OcclusionMethod) -> float:
    """Explain several results on the query, wait for their fidelity too, and return the seconds to the last map."""
    began = time.monotonic()
    created = running.client.create_explanations(source, items, method=method, explained_image=ExplainedImage.QUERY)

    def seconds_to_map(name: str) -> float:
        done = 0.0
        for update in running.client.watch_explanation(name):
            _check(update.explanation)
            done = done or (time.monotonic() - began if update.explanation.is_done else 0.0)
        return done

    with ThreadPoolExecutor(len(created)) as watchers:
        return max(watchers.map(seconds_to_map, [one.name for one in created]))


def settle(running: Service, explanations: Sequence[Explanation]) -> None:
    """Wait until nothing is computed for some explanations any more."""
    for one in explanations:
        for update in running.client.watch_explanation(one.name):
            _check(update.explanation)


@contextmanager
def explanations_under_way(running: Service, source: SearchSource, items: Sequence[str]) -> Iterator[None]:
    """Have many maps made until the block ends; fails if they were done before."""
    created = running.client.create_explanations(source, items)
    try:
        while running.client.explanation(created[0].name).windows_done == 0:
            time.sleep(0.1)
        yield
        if running.client.explanation(created[-1].name).is_done:
            raise RuntimeError("the explanations ended before they were told to")
    finally:
        for one in created:
            running.client.cancel_explanation(one.name)
        time.sleep(SETTLE_SECONDS)


def worker_bytes() -> int:
    """Return the resident memory, without files, of the largest worker below this process."""
    children = psutil.Process().children(recursive=True)
    return max(resident_bytes(one.pid) for one in children if EXPLAINER in " ".join(one.cmdline()))


def _check(explanation: Explanation) -> None:
    if explanation.error is not None:
        raise explanation.error
