"""Calls that end before they are answered are counted by the reason."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from support.doors import open_door
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval.interceptors import CallInterceptor, Context

METHOD = "xmirad.v1.RetrievalService/Search"


class Call:
    """As much of a call's context as the interceptor asks."""

    def __init__(self, remaining: float | None) -> None:
        self._remaining = remaining

    async def read(self) -> bytes:
        return b""

    def peer(self) -> str:
        return "ipv4:127.0.0.1:50000"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def set_trailing_metadata(self, metadata: object) -> None:
        """Take it."""

    def time_remaining(self) -> float | None:
        return self._remaining


async def nothing() -> AsyncIterator[bytes]:
    for each in list[bytes]():
        yield each


@pytest.mark.parametrize(
    ("remaining", "code"), [(None, "CANCELLED"), (3.0, "CANCELLED"), (0.0, "DEADLINE_EXCEEDED")], ids=str
)
async def test_a_deadline_is_told_from_a_caller_that_went_away(remaining: float | None, code: str) -> None:
    registry = CollectorRegistry()
    metrics = RetrievalMetrics(registry, methods=[METHOD])
    interceptor = CallInterceptor(
        metrics, open_door(), max_concurrent_requests=1, max_message_bytes=1 << 20, idle_seconds=1.0
    )

    async def cut_short(request: object, context: object) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await anext(interceptor._unary(METHOD, cut_short, bytes)(nothing(), cast("Context", Call(remaining))))
    assert registry.get_sample_value("xmirad_requests_total", {"method": METHOD, "code": code}) == 1.0
