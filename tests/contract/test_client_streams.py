"""The SDK's streams over a real connection: bounded, lazy, cancelled by closing, never losing an upload silently."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import grpc
import pytest

from support.fake_archives import embedding_of
from support.fake_service import FakeService, fake_service
from xmirad.api.vocabulary import SearchView
from xmirad.client import Client, StreamedSearch, Upload
from xmirad.client.types import UploadOutcome
from xmirad.errors import (
    ArchiveNotFoundError,
    BackendUnavailableError,
    InternalError,
    InvalidImageError,
    InvalidRequestError,
    PayloadTooLargeError,
)
from xmirad.types import EncodedImage


class DiskError(Exception):
    """What a caller's iterable may raise."""


def upload(number: int, *, prefix: str = "image") -> Upload:
    image = EncodedImage(f"{prefix} {number}".encode(), "image/png")
    return Upload(image, correlation_id=f"c{number}", external_id=f"x{number}")


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as service:
        yield service


@pytest.fixture
def client(service: FakeService) -> Iterator[Client]:
    with Client(service.address, timeout_seconds=5) as client:
        client.create_archive("covidx")
        yield client


def collect(outcomes: Iterator[UploadOutcome], error: type[Exception]) -> tuple[list[UploadOutcome], Exception]:
    """Return the outcomes that come before an iterator raises."""
    seen: list[UploadOutcome] = []
    with pytest.raises(error) as caught:
        seen.extend(outcomes)
    return seen, caught.value


def test_a_thousand_uploads_keep_the_window_full_and_never_exceed_it(service: FakeService, client: Client) -> None:
    read, most, outcomes = 0, 0, 0

    def uploads() -> Iterator[Upload]:
        nonlocal read, most
        for number in range(1000):
            read += 1
            most = max(most, read - outcomes)
            yield upload(number)

    seen = set()
    for outcome in client.upload("covidx", uploads(), in_flight=8):
        outcomes += 1
        assert outcome.error is None
        seen.add(outcome.correlation_id)

    assert seen == {f"c{number}" for number in range(1000)}
    assert len(service.archives.get("covidx").items) == 1000
    assert service.switches.most_unanswered == 8
    # An answer frees its place just before its outcome is handed over, so the caller may count one more.
    assert 8 <= most <= 9


def test_a_failing_upload_is_an_outcome_and_does_not_end_the_stream(client: Client) -> None:
    uploads = [upload(number, prefix="bad" if number == 3 else "image") for number in range(10)]

    outcomes = {outcome.correlation_id: outcome for outcome in client.upload("covidx", uploads)}

    assert len(outcomes) == 10
    assert isinstance(outcomes["c3"].error, InvalidImageError)
    assert outcomes["c3"].receipt is None
    assert all(outcome.receipt for name, outcome in outcomes.items() if name != "c3")


def test_an_upload_that_cannot_be_sent_is_an_outcome_and_does_not_end_the_stream(client: Client) -> None:
    huge = Upload(EncodedImage(bytes(65 << 20)), correlation_id="huge")
    garbled = Upload(EncodedImage(b"image"), correlation_id="garbled", external_id="\udce4")

    outcomes = {o.correlation_id: o for o in client.upload("covidx", [upload(0), huge, garbled, upload(1)])}

    assert isinstance(outcomes["huge"].error, PayloadTooLargeError)
    assert isinstance(outcomes["garbled"].error, InvalidRequestError)
    assert outcomes["c0"].receipt
    assert outcomes["c1"].receipt


def test_a_stream_of_nothing_but_unsendable_uploads_ends_well(client: Client) -> None:
    garbled = [Upload(EncodedImage(b"image"), correlation_id=f"c{n}", external_id="\udce4") for n in range(50)]

    assert [o.correlation_id for o in client.upload("covidx", garbled, in_flight=4)] == [f"c{n}" for n in range(50)]


def test_nothing_is_uploaded_from_nothing(client: Client) -> None:
    assert list(client.upload("covidx", [])) == []


def test_nothing_is_read_before_the_first_outcome_is_asked_for(service: FakeService, client: Client) -> None:
    read: list[int] = []

    def uploads() -> Iterator[Upload]:
        for number in range(10):
            read.append(number)
            yield upload(number)

    outcomes = client.upload("covidx", uploads(), in_flight=4)
    time.sleep(0.05)

    assert read == []
    assert "UploadItems" not in service.switches.calls
    next(outcomes)
    assert read


def test_closing_early_cancels_the_call_and_stops_reading(service: FakeService, client: Client) -> None:
    read = 0

    def endless() -> Iterator[Upload]:
        nonlocal read
        while True:
            read += 1
            yield upload(read)

    outcomes = client.upload("covidx", endless(), in_flight=4)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]

    assert service.switches.ended.wait(5)
    read_when_closed = read
    time.sleep(0.1)
    assert read == read_when_closed
    assert read <= 10


def test_letting_go_of_the_outcomes_leaves_no_thread_behind(client: Client) -> None:
    outcomes = client.upload("covidx", (upload(n) for n in range(1000)), in_flight=4)
    next(outcomes)
    watching = [thread for thread in threading.enumerate() if thread.name == "xmirad-stream-watch"]
    del outcomes

    assert len(watching) == 1
    watching[0].join(5)
    assert not watching[0].is_alive()


def test_what_the_iterable_raises_is_raised_after_everything_sent_is_answered(client: Client) -> None:
    def broken() -> Iterator[Upload]:
        for number in range(5):
            yield upload(number)
        raise DiskError("the disk is gone")

    outcomes, error = collect(client.upload("covidx", broken()), DiskError)

    assert str(error) == "the disk is gone"
    assert {o.correlation_id for o in outcomes if o.receipt} == {f"c{number}" for number in range(5)}


def test_an_iterable_that_raises_at_once_is_no_hang(client: Client) -> None:
    def broken() -> Iterator[Upload]:
        yield from (upload(number) for number in read_folder())

    def read_folder() -> Iterator[int]:
        raise DiskError

    assert collect(client.upload("covidx", broken()), DiskError)[0] == []


@pytest.mark.parametrize("names", [["a", "a"], [""], ["x" * 129]])
def test_correlation_ids_must_tell_uploads_apart(client: Client, names: list[str]) -> None:
    uploads = [Upload(EncodedImage(b"image"), correlation_id=name) for name in names]

    _, error = collect(client.upload("covidx", uploads), InvalidRequestError)

    assert isinstance(error, InvalidRequestError)
    assert error.field == "correlation_id"


def test_an_error_of_the_iterable_is_not_hidden_by_one_of_the_stream(service: FakeService, client: Client) -> None:
    def broken() -> Iterator[Upload]:
        yield upload(0)
        raise DiskError("the disk is gone")

    service.switches.silent = True
    with Client(service.address, timeout_seconds=0.3) as impatient:
        _, error = collect(impatient.upload("covidx", broken()), TimeoutError)

    assert any("the disk is gone" in note for note in error.__notes__)


def test_a_correlation_id_may_be_used_again_after_its_answer(client: Client) -> None:
    outcomes = list(client.upload("covidx", [upload(1), upload(1), upload(1)], in_flight=1))

    assert [outcome.correlation_id for outcome in outcomes] == ["c1", "c1", "c1"]


def test_a_window_of_nothing_is_refused_at_once(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="in_flight"):
        client.upload("covidx", [], in_flight=0)


def test_a_stream_that_breaks_reports_every_upload_that_was_read(service: FakeService, client: Client) -> None:
    service.switches.break_after = 20
    read: list[str] = []

    def uploads() -> Iterator[Upload]:
        for number in range(1000):
            read.append(f"c{number}")
            yield upload(number)

    outcomes, error = collect(client.upload("covidx", uploads(), in_flight=8), BackendUnavailableError)

    stored = [o.correlation_id for o in outcomes if o.receipt]
    failed = [o.correlation_id for o in outcomes if isinstance(o.error, BackendUnavailableError)]
    assert len(stored) == 20
    assert sorted(stored + failed) == sorted(read)
    assert isinstance(error, BackendUnavailableError)
    assert error.metadata["unanswered"] == str(len(failed))
    assert error.metadata["request_id"] == service.switches.request_ids[-1]
    assert any("sending them again is safe" in note for note in error.__notes__)


def test_a_stream_that_ends_too_early_is_no_success(service: FakeService, client: Client) -> None:
    service.switches.end_after = 3

    outcomes, error = collect(client.upload("covidx", map(upload, range(100)), in_flight=8), BackendUnavailableError)

    assert "ended the stream early" in str(error)
    assert len([o for o in outcomes if o.receipt]) == 3
    assert all(o.receipt or o.error for o in outcomes)


def test_a_slow_reader_of_files_loses_nothing_when_the_stream_breaks_meanwhile(
    service: FakeService, client: Client
) -> None:
    service.switches.break_after = 1
    read: list[str] = []

    def slow() -> Iterator[Upload]:
        for number in range(4):
            if number == 3:
                time.sleep(0.3)
            read.append(f"c{number}")
            yield upload(number)

    outcomes, _ = collect(client.upload("covidx", slow()), BackendUnavailableError)

    assert sorted(o.correlation_id for o in outcomes) == sorted(read)


def test_a_service_that_dies_breaks_the_stream() -> None:
    with fake_service() as service:
        client = Client(service.address, timeout_seconds=5)
        client.create_archive("covidx")
        outcomes = client.upload("covidx", map(upload, range(100_000)), in_flight=4)
        next(outcomes)
    with client:
        _, error = collect(outcomes, BackendUnavailableError)

    assert isinstance(error, BackendUnavailableError)
    assert error.metadata["backend"] == "service"


def test_a_stream_to_a_missing_archive_answers_each_upload(client: Client) -> None:
    outcomes = list(client.upload("other", map(upload, range(3))))

    assert [type(outcome.error) for outcome in outcomes] == [ArchiveNotFoundError] * 3


def test_a_stream_that_is_refused_raises_the_reason(service: FakeService, client: Client) -> None:
    service.switches.failures["UploadItems"] = [ArchiveNotFoundError("no", metadata={"archive": "covidx"})]

    _, error = collect(client.upload("covidx", map(upload, range(3))), ArchiveNotFoundError)

    assert isinstance(error, ArchiveNotFoundError)
    assert error.metadata["archive"] == "covidx"


def test_a_stream_is_opened_again_when_the_service_was_not_available(service: FakeService, client: Client) -> None:
    service.switches.failures["UploadItems"] = [grpc.StatusCode.UNAVAILABLE]

    outcomes = list(client.upload("covidx", map(upload, range(20)), in_flight=4))

    assert all(outcome.receipt for outcome in outcomes)
    assert len(outcomes) == 20
    assert service.switches.calls["UploadItems"] == 2


def test_a_silent_service_is_a_timeout(service: FakeService, client: Client) -> None:
    service.switches.silent = True
    with Client(service.address, timeout_seconds=0.3) as impatient:
        outcomes, error = collect(impatient.upload("covidx", map(upload, range(3))), TimeoutError)

    assert "was silent for 0.3 s" in str(error)
    assert [type(o.error) for o in outcomes] == [BackendUnavailableError] * 3


def test_a_slow_caller_is_no_silent_service(service: FakeService, client: Client) -> None:
    def slow() -> Iterator[Upload]:
        for number in range(3):
            time.sleep(0.4)
            yield upload(number)

    with Client(service.address, timeout_seconds=0.2) as impatient:
        outcomes = []
        for outcome in impatient.upload("covidx", slow()):
            time.sleep(0.4)
            outcomes.append(outcome)

    assert all(outcome.receipt for outcome in outcomes)
    assert len(outcomes) == 3


def test_an_answer_to_nothing_that_was_asked_ends_the_stream(service: FakeService, client: Client) -> None:
    service.switches.foreign_answer = True

    outcomes, error = collect(client.upload("covidx", map(upload, range(3))), InternalError)

    assert "not under way" in str(error)
    assert [type(o.error) for o in outcomes] == [InternalError] * 3


def test_searches_are_streamed_in_every_view_and_fail_one_by_one(client: Client) -> None:
    list(client.upload("covidx", map(upload, range(20))))
    searches = [
        StreamedSearch(f"s{n}", upload(n).image, top_k=0 if n == 7 else 5, exact=True, view=SearchView.RANKING)
        for n in range(20)
    ]

    outcomes = {outcome.correlation_id: outcome for outcome in client.stream_search("covidx", searches, in_flight=3)}

    assert len(outcomes) == 20
    error = outcomes["s7"].error
    assert isinstance(error, InvalidRequestError)
    assert error.field == "top_k"
    for n in set(range(20)) - {7}:
        response = outcomes[f"s{n}"].response
        assert response is not None
        alone = client.search("covidx", embedding_of(upload(n).image), top_k=5)
        assert [r.item for r in response.results] == [r.item for r in alone.results]
        assert response.results[0].item == client.create_item("covidx", upload(n)).item


def test_searches_never_exceed_their_window(service: FakeService, client: Client) -> None:
    client.create_item("covidx", upload(0))
    searches = (StreamedSearch(f"s{n}", upload(0).image, top_k=1) for n in range(200))

    assert sum(outcome.error is None for outcome in client.stream_search("covidx", searches, in_flight=5)) == 200
    assert service.switches.most_unanswered == 5


def test_a_stream_that_is_open_when_the_client_closes_is_cancelled(service: FakeService) -> None:
    client = Client(service.address, timeout_seconds=5)
    client.create_archive("covidx")
    outcomes = client.upload("covidx", map(upload, range(1000)), in_flight=4)
    next(outcomes)
    client.close()

    with pytest.raises(CancelledError):
        list(outcomes)
