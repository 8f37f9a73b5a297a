"""Following the vector store for the whole life of a service."""

import asyncio
from pathlib import Path
from typing import cast

import grpc
import pytest
from prometheus_client import CollectorRegistry

from support.indexing import workshop
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval import health
from xmirad_services.retrieval.open_archives import OpenArchives


class Archives:
    """Answers pings; counting fails in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1

    async def sizes(self) -> dict[str, int]:
        raise ValueError("unforeseen")


async def test_the_watch_goes_on_after_a_count_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WATCH_SECONDS", 0.01)
    archives = Archives()
    metrics = RetrievalMetrics(CollectorRegistry(), methods=())
    reporter = health.HealthReporter(grpc.aio.server(), ["xmirad.v1.RetrievalService"], metrics)
    with workshop(tmp_path) as shop:
        watching = asyncio.create_task(reporter.watch(cast("OpenArchives", archives), shop.tools.lanes))
        async with asyncio.timeout(20):
            while archives.pings < 2 and not watching.done():
                await asyncio.sleep(0.01)
        assert not watching.done()
        watching.cancel()
