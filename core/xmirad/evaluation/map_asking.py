"""Asking a service for maps: behind every reader, some at a time, and again while its queue has no room."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client.explanation_types import Explanation, Method
from xmirad.errors import QueueFullError
from xmirad.evaluation.options import SaliencyOptions, Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.run import Run
from xmirad.evaluation.saliency_figures import method_name
from xmirad.evaluation.service import ExplainingService
from xmirad.evaluation.uploading import FilledArchive
from xmirad.types import ExplanationState

Task = TypeVar("Task")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and one of its results.

    Attributes:
        query: Index of the query's image in the data set.
        query_file: Name of its file.
        query_item: Its item.
        result_file: Name of the result's file.
        result_item: Its item.
        relevant: Whether they share a label.
    """

    query: int
    query_file: str
    query_item: str
    result_file: str
    result_item: str
    relevant: bool


def pair_of(run: Run, archive: FilledArchive, query: int, result: int) -> Pair:
    """Return a pair of two items of an archive, by their positions."""
    asked, found = (run.dataset.items[archive.indices[position]] for position in (query, result))
    return Pair(
        query=archive.indices[query],
        query_file=asked.path.name,
        query_item=archive.names[query],
        result_file=found.path.name,
        result_item=archive.names[result],
        relevant=not set(asked.attributes.labels).isdisjoint(found.attributes.labels),
    )


def in_parallel(work: Callable[[Task], Done], tasks: Sequence[Task], *, in_flight: int) -> Iterator[Done]:
    """Do tasks in at most `in_flight` threads, and yield what comes of them as they are done, in any order.

    Raises:
        Exception: What a task raises; those that have not begun are then dropped.
    """
    pool = ThreadPoolExecutor(max_workers=in_flight, thread_name_prefix="explain")
    try:
        futures = [pool.submit(work, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever still waits ends when the client is closed


def ask(
    service: ExplainingService, pair: Pair, method: Method, options: SaliencyOptions, *, published_fidelity: bool
) -> Explanation:
    """Ask for a map on the result, again and again while the queue has no room.

    Raises:
        QueueFullError: If it has none for longer than the options' patience.
        XmiradError: If the service refuses or breaks off.
    """
    deadline = time.monotonic() + options.patience_seconds
    while True:
        try:
            return service.create_explanation(
                pair.query_item,
                pair.result_item,
                method=method,
                published_fidelity=published_fidelity,
                priority=ExplanationPriority.BACKGROUND,
            )
        except QueueFullError as error:
            if time.monotonic() > deadline:
                raise
            time.sleep(error.retry_delay_seconds or options.pause_seconds)


def follow(
    service: ExplainingService,
    explanation: Explanation,
    options: SaliencyOptions,
    *,
    until: Callable[[Explanation], bool],
) -> Explanation:
    """Return an explanation once it has come far enough, or as far as it has come when patience ends.

    It is watched first; beyond the end of the watch, which does not wait for fidelity for long, it is looked at now and
    then.
    """
    if not until(explanation):
        for update in service.watch_explanation(explanation.name):
            explanation = update.explanation
            if until(explanation):
                break
    deadline = time.monotonic() + options.patience_seconds
    while not until(explanation) and time.monotonic() < deadline:
        time.sleep(options.pause_seconds)
        explanation = service.explanation(explanation.name)
    return explanation


def why_without_map(explanation: Explanation) -> tuple[str, str] | None:
    """Return the reason and a sentence for an explanation that came to its end without a map, else None."""
    if explanation.error is not None:
        return explanation.error.reason, explanation.error.message
    if explanation.state is ExplanationState.CANCELLED:
        return "EXPLANATION_CANCELLED", "it was cancelled"
    return None


def failed_map(pair: Pair, method: Method, reason: str, message: str) -> Failure:
    """Return a map that could not be had, as a report lists it."""
    return Failure(
        pair.query_file, Stage.EXPLAIN, reason, f"{method_name(method)} map on {pair.result_file}: {message}"
    )
