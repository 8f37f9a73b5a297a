"""Many callers at once, more than the service takes, deadlines, and callers that go away."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest

from support.live_service import LiveService, live_service
from support.pictures import png
from support.raw_service import RawService, refusal
from support.slow_images import slow_image
from xmirad.api.v1 import archive_service_pb2 as archives
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.client.client import Client
from xmirad.client.types import Upload, UploadOutcome
from xmirad.errors import OverloadedError
from xmirad.types import EncodedImage, UploadState

LIMIT = 4
CALLERS = 24
UPLOADS = 60
STREAMS = 3
PICTURES = 12
WAIT_SECONDS = 10.0
DEADLINE_SECONDS = 0.05
ARCHIVE = "archives/load"


def search(image: EncodedImage) -> retrieval.SearchRequest:
    return retrieval.SearchRequest(archive=ARCHIVE, top_k=1, image=resources.Image(data=image.data))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    home = tmp_path_factory.mktemp("load") / "home"
    with live_service(home, XMIRAD_SERVER__MAX_CONCURRENT_REQUESTS=str(LIMIT)) as live:
        with live.start() as client:
            client.create_archive("load")
            client.create_item("load", Upload(png(1)))
        yield live


@pytest.fixture
def raw(service: LiveService) -> Iterator[RawService]:
    with RawService(service.address) as opened:
        yield opened


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_requests_beyond_the_limit_are_refused_while_the_others_are_answered(raw: RawService) -> None:
    request = search(slow_image(1, size=2000))
    calls = [raw.retrieval.Search.future(request, timeout=WAIT_SECONDS) for _ in range(CALLERS)]
    failed = [call for call in calls if call.exception() is not None]
    assert len(calls) - len(failed) >= LIMIT
    assert failed
    for call in failed:
        error = refusal(lambda _, *, timeout, call=call: call.result(timeout), request)
        assert isinstance(error.error, OverloadedError)
        assert error.domain_error.metadata["max_concurrent_requests"] == str(LIMIT)
        assert error.details["RetryInfo"].retry_delay.seconds == 1
        assert error.domain_error.retry_delay_seconds == 1.0
    assert raw.retrieval.Search(request).results


def test_the_limit_holds_for_streams_too(raw: RawService) -> None:
    def one_request_then_silence() -> Iterator[retrieval.StreamSearchRequest]:
        yield retrieval.StreamSearchRequest(correlation_id="1", search=search(png(1)))
        time.sleep(1.0)

    streams = [raw.retrieval.StreamSearch(one_request_then_silence()) for _ in range(LIMIT + 1)]
    codes = []
    for stream in streams:
        try:
            codes.append("OK" if next(stream).response.results else "")
        except grpc.RpcError as error:
            codes.append(error.code().name)
    for stream in streams:
        stream.cancel()
    assert sorted(codes) == ["OK"] * LIMIT + ["RESOURCE_EXHAUSTED"]
    assert eventually(lambda: bool(raw.retrieval.Search(search(png(1))).results))


def test_a_deadline_ends_the_call_on_time_and_the_service_goes_on(raw: RawService) -> None:
    request = search(slow_image(2))
    failed = refusal(raw.retrieval.Search, request, seconds=DEADLINE_SECONDS)
    assert isinstance(failed.error, TimeoutError)
    assert failed.seconds < DEADLINE_SECONDS + 0.5
    assert raw.retrieval.Search(search(png(1)), timeout=WAIT_SECONDS).results


def test_requests_that_were_given_up_do_not_count_against_the_limit(raw: RawService) -> None:
    request = search(slow_image(3))
    for _ in range(2):
        calls = [raw.retrieval.Search.future(request, timeout=DEADLINE_SECONDS) for _ in range(LIMIT)]
        assert all(call.exception() is not None for call in calls)
    assert raw.retrieval.Search(search(png(1)), timeout=WAIT_SECONDS).results


def test_cancelling_a_stream_stops_its_work(service: LiveService, raw: RawService) -> None:
    with Client(service.address) as client:
        client.create_archive("cancelled")
        uploads = (
            Upload(slow_image(number, size=1500), correlation_id=str(number), external_id=str(number))
            for number in range(UPLOADS)
        )
        outcomes = client.upload("cancelled", uploads)
        assert next(outcomes).receipt is not None
        outcomes.close()  # type: ignore[attr-defined]  # it is a generator
        time.sleep(1.0)
        count = client.get_archive("cancelled").item_count
        time.sleep(1.0)
        assert client.get_archive("cancelled").item_count == count < UPLOADS
        assert len(list(client.list_items("cancelled"))) == count
    assert "Traceback" not in service.log.read_text()
    assert '"error"' not in service.log.read_text()


def test_a_search_stream_that_is_broken_off_while_answers_wait_leaves_no_trace(
    service: LiveService, raw: RawService
) -> None:
    def endless() -> Iterator[retrieval.StreamSearchRequest]:
        number = 0
        while True:
            number += 1
            yield retrieval.StreamSearchRequest(correlation_id=str(number), search=search(png(1)))

    for _ in range(5):
        stream = raw.retrieval.StreamSearch(endless())
        next(stream)
        time.sleep(0.1)
        stream.cancel()
    assert raw.retrieval.Search(search(png(1)), timeout=WAIT_SECONDS).results
    time.sleep(0.5)
    assert '"error"' not in service.log.read_text()


def test_uploads_and_searches_share_the_service(service: LiveService, raw: RawService) -> None:
    """A search is answered while uploads keep every lane busy."""
    requests = (
        archives.UploadItemsRequest(
            correlation_id=str(number),
            archive=ARCHIVE,
            item=archives.ItemUpload(image=resources.Image(data=png(number + 100).data), external_id=str(number)),
        )
        for number in range(UPLOADS)
    )
    stream = raw.archives.UploadItems(requests)
    next(stream)
    seconds = []
    for _ in range(10):
        begin = time.monotonic()
        assert raw.retrieval.Search(search(png(1)), timeout=WAIT_SECONDS).results
        seconds.append(time.monotonic() - begin)
    assert sorted(seconds)[5] < 0.5
    assert sum(answer.HasField("receipt") for answer in stream) == UPLOADS - 1


def test_concurrent_uploads_of_the_same_images_store_each_once(service: LiveService) -> None:
    with Client(service.address) as client:
        client.create_archive("together")
    outcomes: list[UploadOutcome] = []

    def upload(stream: int) -> None:
        with Client(service.address) as own:
            uploads = (Upload(png(n), correlation_id=f"{stream}-{n}", external_id=str(n)) for n in range(PICTURES))
            outcomes.extend(own.upload("together", uploads))

    threads = [threading.Thread(target=upload, args=(stream,)) for stream in range(STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    states = [outcome.receipt.state for outcome in outcomes if outcome.receipt]
    assert states.count(UploadState.CREATED) == PICTURES
    assert states.count(UploadState.UNCHANGED) == (STREAMS - 1) * PICTURES
    with Client(service.address) as client:
        assert client.get_archive("together").item_count == PICTURES
        assert len(list(client.list_items("together"))) == PICTURES
