"""What the service does for explanations in the background: sweeping, counting, and watching over the queue."""

import asyncio
import time
from collections.abc import Callable

import structlog

from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.health import WATCH_SECONDS, HealthReporter
from xmirad_services.retrieval.interceptors import as_domain_error

_log = structlog.get_logger(__name__)


async def keep_up(explainer: Explainer, lanes: Lanes, metrics: RetrievalMetrics, health: HealthReporter) -> None:
    """Sweep, count and look after the queue until cancelled; without a queue only what has expired is swept."""
    parts, swept = explainer.parts, float("-inf")
    while True:
        has_queue = parts.has_queue and await _queue_answers(explainer, lanes, metrics, health)
        if time.monotonic() - swept >= parts.sweep_seconds:
            swept = time.monotonic()
            await _sweep(lanes, parts.sweeper.sweep if has_queue else parts.sweeper.expire)
            await _count(explainer, lanes, metrics)
        await asyncio.sleep(min(WATCH_SECONDS, parts.sweep_seconds))


async def _queue_answers(explainer: Explainer, lanes: Lanes, metrics: RetrievalMetrics, health: HealthReporter) -> bool:
    parts = explainer.parts
    try:
        await lanes.blobs.run(Priority.BACKGROUND, parts.board.counters)
    except Exception as error:  # noqa: BLE001 - whatever keeps the queue from answering
        await health.report_explanations(healthy=False, error=as_domain_error(error))
        return False
    await health.report_explanations(healthy=True)
    return True


async def _count(explainer: Explainer, lanes: Lanes, metrics: RetrievalMetrics) -> None:
    try:
        size, entries = await lanes.blobs.run(Priority.BACKGROUND, explainer.parts.cache.sums)
    except Exception as error:  # noqa: BLE001 - the next time
        _log.warning("cache.not_counted", reason=as_domain_error(error).reason)
    else:
        metrics.set_cache(size, entries=entries, budget=explainer.parts.cache_bytes)


async def _sweep(lanes: Lanes, sweep: Callable[[], object]) -> None:
    try:
        await lanes.blobs.run(Priority.BACKGROUND, sweep)
    except Exception as error:  # noqa: BLE001 - the next sweep goes on
        _log.warning("explanations.not_swept", reason=as_domain_error(error).reason)
