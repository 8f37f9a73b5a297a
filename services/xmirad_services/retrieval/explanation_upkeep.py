"""What the service does for explanations in the background: sweeping, counting, and watching over the queue."""

import asyncio
import time

import structlog

from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.health import WATCH_SECONDS, HealthReporter
from xmirad_services.retrieval.interceptors import as_domain_error

_log = structlog.get_logger(__name__)


async def keep_up(explainer: Explainer, lanes: Lanes, metrics: RetrievalMetrics, health: HealthReporter) -> None:
    """Sweep, count and look after the queue until cancelled; without a queue there is nothing to do."""
    parts, swept = explainer.parts, float("-inf")
    while parts.has_queue:
        try:
            entries = await lanes.blobs.run(Priority.BACKGROUND, parts.board.least_recently_used)
            metrics.set_cache([size for _, size in entries], budget=parts.cache_bytes)
        except Exception as error:  # noqa: BLE001 - whatever keeps the queue from answering
            await health.report_explanations(healthy=False, error=as_domain_error(error))
        else:
            await health.report_explanations(healthy=True)
            if time.monotonic() - swept >= parts.sweep_seconds:
                swept = time.monotonic()
                await _sweep(explainer, lanes)
        await asyncio.sleep(min(WATCH_SECONDS, parts.sweep_seconds))


async def _sweep(explainer: Explainer, lanes: Lanes) -> None:
    try:
        await lanes.blobs.run(Priority.BACKGROUND, explainer.parts.sweeper.sweep)
    except Exception as error:  # noqa: BLE001 - the next sweep goes on
        _log.warning("explanations.not_swept", reason=as_domain_error(error).reason)
