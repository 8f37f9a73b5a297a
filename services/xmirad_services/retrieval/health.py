"""Tells load balancers whether to send requests here."""

import asyncio
from collections.abc import Sequence

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import OVERALL_HEALTH, aio
from grpc_health.v1.health_pb2 import HealthCheckResponse

from xmirad.errors import XmiradError
from xmirad.indexing.runner import Lanes
from xmirad.lanes import Priority
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.interceptors import as_domain_error
from xmirad_services.retrieval.open_archives import OpenArchives

WATCH_SECONDS = 5.0
EXPLANATIONS = "xmirad.v1.ExplanationService"
_log = structlog.get_logger(__name__)


class HealthReporter:
    """Serves `grpc.health.v1`, for the server as a whole and for each service."""

    def __init__(self, server: grpc.aio.Server, services: Sequence[str], metrics: RetrievalMetrics) -> None:
        """Register the health service; until `enter` everything is NOT_SERVING."""
        self._metrics = metrics
        self._health = aio.HealthServicer()
        self._services = (OVERALL_HEALTH, *services)
        self._healthy: bool | None = None
        self._explains = True
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

    async def enter(self) -> None:
        """Say that everything is served."""
        await self._report(healthy=True)

    async def leave(self) -> None:
        """Say that nothing is served any more, for good."""
        await self._health.enter_graceful_shutdown()
        for service in self._services:
            self._metrics.set_serving(service, is_served=False)

    async def watch(self, archives: OpenArchives, lanes: Lanes) -> None:
        """Follow the vector store until cancelled: NOT_SERVING while it does not answer, SERVING when it does again."""
        while True:
            try:
                await lanes.store.run(Priority.INTERACTIVE, archives.ping)
            except Exception as error:  # noqa: BLE001 - whatever keeps the store from answering
                await self._report(healthy=False, error=as_domain_error(error))
            else:
                await self._report(healthy=True)
                await self._count(archives)
            await asyncio.sleep(WATCH_SECONDS)

    async def report_explanations(self, *, healthy: bool, error: XmiradError | None = None) -> None:
        """Say whether explanations can be computed, and why not; everything else may be served all the same."""
        if healthy is self._explains:
            return
        self._explains = healthy
        await self._set(EXPLANATIONS, serving=healthy and self._healthy is not False)
        state = "serving" if healthy else "not_serving"
        reason, backend, cause = _why(error)
        _log.info("service.explanations_health_changed", state=state, reason=reason, backend=backend, cause=cause)

    async def _set(self, service: str, *, serving: bool) -> None:
        await self._health.set(service, HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING)
        self._metrics.set_serving(service, is_served=serving)

    async def _count(self, archives: OpenArchives) -> None:
        try:
            self._metrics.set_archive_items(await archives.sizes())
        except Exception as error:  # noqa: BLE001 - sizes that are missing must not end the watch
            as_domain_error(error)  # logs it

    async def _report(self, *, healthy: bool, error: XmiradError | None = None) -> None:
        if healthy is self._healthy:
            return
        self._healthy = healthy
        for service in self._services:
            await self._set(service, serving=healthy and (self._explains or service != EXPLANATIONS))
        state = "serving" if healthy else "not_serving"
        reason, backend, cause = _why(error)
        _log.info("service.health_changed", state=state, reason=reason, backend=backend, cause=cause)


def _why(error: XmiradError | None) -> tuple[str, str, str]:
    """Return what a log line says of an error: its reason, which backend is away, and why; nothing without one."""
    if error is None:
        return "", "", ""
    return error.reason, error.metadata.get("backend", ""), error.metadata.get("cause", "")
