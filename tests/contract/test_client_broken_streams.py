"""The SDK's streams when something breaks: no upload that was read is ever lost silently."""

import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import grpc
import pytest

from support.fake_service import FakeService, fake_service
from support.uploads import collect, upload
from xmirad.client import Client, Upload
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, InternalError

pytestmark = pytest.mark.usefixtures("archive")


class DiskError(Exception):
    """What a caller's iterable may raise."""


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


def test_an_error_of_the_iterable_is_not_hidden_by_one_of_the_stream(service: FakeService, client: Client) -> None:
    def broken() -> Iterator[Upload]:
        yield upload(0)
        raise DiskError("the disk is gone")

    service.switches.silent = True
    with Client(service.address, timeout_seconds=0.3) as impatient:
        _, error = collect(impatient.upload("covidx", broken()), TimeoutError)

    assert any("the disk is gone" in note for note in error.__notes__)


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


def test_a_stream_that_finds_no_service_names_what_was_not_stored(service: FakeService, client: Client) -> None:
    service.switches.failures["UploadItems"] = [grpc.StatusCode.UNAVAILABLE]

    outcomes, error = collect(client.upload("covidx", map(upload, range(20)), in_flight=4), BackendUnavailableError)

    assert 1 <= len(outcomes) <= 4
    assert {type(outcome.error) for outcome in outcomes} == {BackendUnavailableError}
    assert isinstance(error, BackendUnavailableError)
    assert error.metadata["unanswered"] == str(len(outcomes))
    assert service.switches.calls["UploadItems"] == 1


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


def test_a_stream_that_is_open_when_the_client_closes_is_cancelled(service: FakeService) -> None:
    client = Client(service.address, timeout_seconds=5)
    outcomes = client.upload("covidx", map(upload, range(1000)), in_flight=4)
    next(outcomes)
    client.close()

    with pytest.raises(CancelledError):
        list(outcomes)
