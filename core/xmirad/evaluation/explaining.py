"""Having pairs of images explained, some at a time and behind every reader, and waiting for what the maps are worth."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client.explanation_types import Explanation, MapFidelity, Method
from xmirad.errors import BackendUnavailableError, QueueFullError, XmiradError
from xmirad.evaluation.options import SaliencyOptions, Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.saliency_figures import method_name
from xmirad.evaluation.service import ExplainingService
from xmirad.types import ExplanationState


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and its first result.

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


@dataclass(frozen=True, slots=True)
class ExplainedPair:
    """A pair, and what its maps are worth.

    Attributes:
        pair: The pair.
        outcomes: By method, in the order of the options: the map's fidelity, by the published definition too, or why
            there is none.
    """

    pair: Pair
    outcomes: tuple[MapFidelity | Failure, ...]


def explained(service: ExplainingService, pairs: Sequence[Pair], options: SaliencyOptions) -> Iterator[ExplainedPair]:
    """Have pairs explained by every method, on the result, and yield them as they are done, in any order.

    Costs at most `in_flight` threads. The methods of a pair follow one another, because their maps are held against
    the same random fields, which are computed once.

    Raises:
        BackendUnavailableError: If the service breaks off. What fails for one map only is an outcome instead.
    """
    pool = ThreadPoolExecutor(max_workers=options.in_flight, thread_name_prefix="explain")
    try:
        futures = [pool.submit(_explained, service, pair, options) for pair in pairs]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever still waits ends when the client is closed


def _explained(service: ExplainingService, pair: Pair, options: SaliencyOptions) -> ExplainedPair:
    return ExplainedPair(pair, tuple(_outcome(service, pair, method, options) for method in options.methods))


def _outcome(service: ExplainingService, pair: Pair, method: Method, options: SaliencyOptions) -> MapFidelity | Failure:
    try:
        created = _created(service, pair, method, options)
        return _worth(_settled(service, created, options), pair, method)
    except BackendUnavailableError:
        raise
    except XmiradError as error:
        return _failure(pair, method, error.reason, error.message)


def _created(service: ExplainingService, pair: Pair, method: Method, options: SaliencyOptions) -> Explanation:
    """Ask for a map, again and again while the queue has no room."""
    deadline = time.monotonic() + options.patience_seconds
    while True:
        try:
            return service.create_explanation(
                pair.query_item,
                pair.result_item,
                method=method,
                published_fidelity=True,
                priority=ExplanationPriority.BACKGROUND,
            )
        except QueueFullError as error:
            if time.monotonic() > deadline:
                raise
            time.sleep(error.retry_delay_seconds or options.pause_seconds)


def _settled(service: ExplainingService, explanation: Explanation, options: SaliencyOptions) -> Explanation:
    """Wait until a map has its fidelity; beyond the end of the watch, which does not wait for it for long."""
    if not explanation.is_settled:
        for update in service.watch_explanation(explanation.name):
            explanation = update.explanation
    deadline = time.monotonic() + options.patience_seconds
    while not explanation.is_settled and time.monotonic() < deadline:
        time.sleep(options.pause_seconds)
        explanation = service.explanation(explanation.name)
    return explanation


def _worth(explanation: Explanation, pair: Pair, method: Method) -> MapFidelity | Failure:
    if explanation.error is not None:
        return _failure(pair, method, explanation.error.reason, explanation.error.message)
    if explanation.state is ExplanationState.CANCELLED:
        return _failure(pair, method, "EXPLANATION_CANCELLED", "it was cancelled")
    fidelity = explanation.maps[0].fidelity if explanation.maps else None
    if fidelity is None or fidelity.published is None:
        return _failure(pair, method, "FIDELITY_MISSING", "its fidelity was not computed in time")
    return fidelity


def _failure(pair: Pair, method: Method, reason: str, message: str) -> Failure:
    return Failure(
        pair.query_file, Stage.EXPLAIN, reason, f"{method_name(method)} map on {pair.result_file}: {message}"
    )
