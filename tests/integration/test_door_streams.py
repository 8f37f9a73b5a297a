"""What strangers and single callers can take from the others: memory, places, and streams that never end."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from support.live_service import LiveService, live_service
from support.pictures import png
from support.raw_service import RawService
from support.tokens import ASKED_FOR, create_token, revoke_token, wait_until_told
from xmirad.access.caller import Scope
from xmirad.api.errors import error_of
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as pb
from xmirad.api.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from xmirad.client import Client, Credentials, Upload
from xmirad.errors import (
    BackendUnavailableError,
    InvalidImageError,
    OverloadedError,
    QuotaExceededError,
    UnauthenticatedError,
    XmiradError,
)

IDLE_SECONDS = 3.0
SHARE = 3
STRANGERS = 8
LARGE_CALLS = 24
BODY = 60 * 1024 * 1024
SECONDS = 60.0
READ_SECONDS = 2.5  # tokens are read every second, and every stream is looked at as often
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Locked:
    service: LiveService

    def token(self, name: str) -> Metadata:
        token = create_token(self.service.home, name=name, scopes=[Scope.READ], site="local")
        with Client(self.service.address, credentials=Credentials(token=token)) as client:
            wait_until_told(client, accepted=True)
        return (("authorization", f"Bearer {token}"),)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("streams")
    token = create_token(folder / "home", name="all", scopes=list(Scope), site="local")
    limits = {
        **ASKED_FOR,
        "XMIRAD_SECURITY__CONCURRENT_CALLS": str(SHARE),
        "XMIRAD_SERVER__STREAM_IDLE_SECONDS": str(IDLE_SECONDS),
    }
    with live_service(folder / "home", **limits) as service:
        service.credentials = Credentials(token=token)
        with service.start() as client:
            client.create_archive("streams")
            client.create_item("streams", Upload(png(1)))
        yield Locked(service)


@pytest.fixture
def raw(locked: Locked) -> Iterator[RawService]:
    with RawService(locked.service.address) as opened:
        yield opened


def search() -> pb.StreamSearchRequest:
    image = resources.Image(data=png(1).data)
    return pb.StreamSearchRequest(
        correlation_id="1", search=pb.SearchRequest(archive="archives/streams", top_k=1, image=image)
    )


def once_then_silence(seconds: float = SECONDS) -> Iterator[pb.StreamSearchRequest]:
    yield search()
    time.sleep(seconds)


def failure(ask: Callable[[], object]) -> XmiradError:
    with pytest.raises(grpc.RpcError) as caught:
        ask()
    error = error_of(caught.value)
    assert isinstance(error, XmiradError), error
    return error


def peak_bytes(service: LiveService) -> int:
    assert service.process is not None
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    [kibibytes] = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kibibytes) * 1024


def test_strangers_are_refused_before_what_they_send_is_read(locked: Locked, raw: RawService) -> None:
    request = pb.SearchRequest(archive="archives/streams", image=resources.Image(data=bytes(BODY)))
    before = peak_bytes(locked.service)
    with ThreadPoolExecutor(STRANGERS) as strangers:
        asked = [strangers.submit(raw.retrieval.Search, request, timeout=SECONDS) for _ in range(STRANGERS)]
        errors = [failure(call.result) for call in asked]
    assert {type(error) for error in errors} == {UnauthenticatedError}
    assert all(error.metadata["request_id"] for error in errors)
    # Some of each arrives before its refusal does, the more the faster the machine: never most of them.
    assert peak_bytes(locked.service) - before < STRANGERS * BODY / 3


def test_large_messages_of_many_calls_are_in_memory_a_few_at_a_time(tmp_path: Path) -> None:
    request = pb.SearchRequest(archive="archives/streams", top_k=1, image=resources.Image(data=bytes(BODY)))
    with live_service(tmp_path / "home") as service, service.start() as client:
        client.create_archive("streams")
        channels = [RawService(service.address) for _ in range(LARGE_CALLS // 4)]
        before = peak_bytes(service)

        def ask(number: int) -> XmiradError:
            channel = channels[number % len(channels)]
            return failure(lambda: channel.retrieval.Search(request, timeout=SECONDS))

        with ThreadPoolExecutor(LARGE_CALLS) as callers:
            errors = list(callers.map(ask, range(LARGE_CALLS)))
        for channel in channels:
            channel.channel.close()
        assert {type(error) for error in errors} <= {InvalidImageError, OverloadedError}
        assert all(error.retry_delay_seconds for error in errors if isinstance(error, OverloadedError))
        # Four are held, each of them about four times; all at once they would take more than twice as much.
        assert peak_bytes(service) - before < LARGE_CALLS * BODY
        assert client.create_item("streams", Upload(png(1))).is_indexed


def test_a_caller_takes_no_more_than_its_share_and_others_are_served(locked: Locked, raw: RawService) -> None:
    greedy, modest = locked.token("greedy"), locked.token("modest")
    streams = [raw.retrieval.StreamSearch(once_then_silence(IDLE_SECONDS), metadata=greedy) for _ in range(SHARE)]
    for stream in streams:
        assert next(stream).response.results
    error = failure(lambda: next(raw.retrieval.StreamSearch(once_then_silence(0), metadata=greedy)))
    assert isinstance(error, QuotaExceededError)
    assert raw.retrieval.Search(search().search, metadata=modest, timeout=SECONDS).results
    for stream in streams:
        stream.cancel()


def test_a_silent_stream_is_ended_and_its_place_is_free(locked: Locked, raw: RawService) -> None:
    metadata = locked.token("silent")
    for _ in range(2):
        streams = [raw.retrieval.StreamSearch(once_then_silence(), metadata=metadata) for _ in range(SHARE)]
        assert all(next(stream).response.results for stream in streams)
        begin = time.monotonic()
        errors = [failure(lambda stream=stream: next(stream)) for stream in streams]  # type: ignore[misc]
        assert IDLE_SECONDS - 1 < time.monotonic() - begin < IDLE_SECONDS + 3
        assert {type(error) for error in errors} == {BackendUnavailableError}
        assert errors[0].metadata["backend"] == "service"
        assert errors[0].retry_delay_seconds


def test_a_stream_that_is_used_now_and_then_goes_on(locked: Locked, raw: RawService) -> None:
    def now_and_then() -> Iterator[pb.StreamSearchRequest]:
        for _ in range(4):
            yield search()
            time.sleep(IDLE_SECONDS / 2)

    assert len(list(raw.retrieval.StreamSearch(now_and_then(), metadata=locked.token("regular")))) == 4


def test_a_call_whose_message_never_comes_is_ended(locked: Locked, raw: RawService) -> None:
    def nothing() -> Iterator[bytes]:
        time.sleep(SECONDS)
        yield b""

    metadata = locked.token("mute")
    call: Any = raw.channel.stream_unary("/xmirad.v1.RetrievalService/Search")
    begin = time.monotonic()
    error = failure(lambda: call(nothing(), metadata=metadata, timeout=SECONDS))
    assert isinstance(error, BackendUnavailableError)
    assert time.monotonic() - begin < IDLE_SECONDS + 3


def test_a_stream_ends_with_its_token(locked: Locked, raw: RawService) -> None:
    metadata = locked.token("revoked")
    stream = raw.retrieval.StreamSearch(once_then_silence(), metadata=metadata)
    assert next(stream).response.results
    revoke_token(locked.service.home, name="revoked")
    begin = time.monotonic()
    assert isinstance(failure(lambda: next(stream)), UnauthenticatedError)
    assert time.monotonic() - begin < READ_SECONDS < IDLE_SECONDS


def test_a_stream_that_is_never_read_gives_its_place_back(locked: Locked, raw: RawService) -> None:
    """The client's small window fills up, so that the service waits to write, however much it is asked."""
    metadata = locked.token("deaf")
    one = pb.StreamSearchRequest(correlation_id="c" * 100, search=pb.SearchRequest(archive="archives/" + "n" * 60))

    def endless() -> Iterator[pb.StreamSearchRequest]:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            yield one

    with grpc.insecure_channel(locked.service.address, options=[("grpc.http2.bdp_probe", 0)]) as deaf:
        held = [RetrievalServiceStub(deaf).StreamSearch(endless(), metadata=metadata) for _ in range(SHARE)]
        ask = partial(raw.retrieval.Search, search().search, metadata=metadata, timeout=SECONDS)
        time.sleep(1.0)
        assert isinstance(failure(ask), QuotaExceededError)
        assert eventually(ask, seconds=IDLE_SECONDS + 8)
        for stream in held:
            stream.cancel()


def eventually(ask: Callable[[], object], *, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            ask()
        except grpc.RpcError:
            time.sleep(0.2)
        else:
            return True
    return False


def test_refusals_are_logged_by_method_and_reason_and_not_one_by_one(locked: Locked) -> None:
    time.sleep(1.1)  # since the refusals of other tests
    before = locked.service.log.read_text().count("door.refused")
    with Client(locked.service.address, credentials=Credentials(token="planted-secret")) as client:
        for _ in range(20):
            with pytest.raises(UnauthenticatedError):
                client.server_info()
    log = locked.service.log.read_text()
    lines = [line for line in log.splitlines() if "door.refused" in line]
    assert 1 <= len(lines) - before <= 5
    assert "xmirad.v1.ServerService/GetServerInfo" in log
    assert "TOKEN_MISSING" in lines[-1]
    assert "planted-secret" not in log
