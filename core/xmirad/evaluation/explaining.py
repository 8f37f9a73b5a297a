"""Having pairs of images explained, some at a time and behind every reader, and waiting for what the maps are worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from xmirad.client.explanation_types import Explanation, MapFidelity, Method
from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.evaluation.map_asking import Pair, ask, failed_map, follow, in_parallel, why_without_map
from xmirad.evaluation.options import SaliencyOptions
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.service import ExplainingService


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
    yield from in_parallel(partial(_explained, service, options=options), pairs, in_flight=options.in_flight)


def _explained(service: ExplainingService, pair: Pair, *, options: SaliencyOptions) -> ExplainedPair:
    return ExplainedPair(pair, tuple(_outcome(service, pair, method, options) for method in options.methods))


def _outcome(service: ExplainingService, pair: Pair, method: Method, options: SaliencyOptions) -> MapFidelity | Failure:
    try:
        created = ask(service, pair, method, options, published_fidelity=True)
        return _worth(follow(service, created, options, until=_is_settled), pair, method)
    except BackendUnavailableError:
        raise
    except XmiradError as error:
        return failed_map(pair, method, error.reason, error.message)


def _is_settled(explanation: Explanation) -> bool:
    return explanation.is_settled


def _worth(explanation: Explanation, pair: Pair, method: Method) -> MapFidelity | Failure:
    lacking = why_without_map(explanation)
    if lacking is not None:
        return failed_map(pair, method, *lacking)
    fidelity = explanation.maps[0].fidelity if explanation.maps else None
    if fidelity is None or fidelity.published is None:
        return failed_map(pair, method, "FIDELITY_MISSING", "its fidelity was not computed in time")
    return fidelity
