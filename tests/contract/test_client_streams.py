"""The SDK's streams over a real connection: bounded, lazy, cancelled by closing."""

import threading
import time
from collections.abc import Iterator

import pytest

from support.fake_archives import embedding_of
from support.fake_service import FakeService
from support.uploads import collect, upload
from xmirad.api.vocabulary import SearchView
from xmirad.client import Client, StreamedSearch, Upload
from xmirad.errors import InvalidImageError, InvalidRequestError, PayloadTooLargeError
from xmirad.types import EncodedImage

pytestmark = pytest.mark.usefixtures("archive")


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


@pytest.mark.parametrize("names", [["a", "a"], [""], ["x" * 129]])
def test_correlation_ids_must_tell_uploads_apart(client: Client, names: list[str]) -> None:
    uploads = [Upload(EncodedImage(b"image"), correlation_id=name) for name in names]

    _, error = collect(client.upload("covidx", uploads), InvalidRequestError)

    assert isinstance(error, InvalidRequestError)
    assert error.field == "correlation_id"


def test_a_correlation_id_may_be_used_again_after_its_answer(client: Client) -> None:
    outcomes = list(client.upload("covidx", [upload(1), upload(1), upload(1)], in_flight=1))

    assert [outcome.correlation_id for outcome in outcomes] == ["c1", "c1", "c1"]


def test_a_window_of_nothing_is_refused_at_once(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="in_flight"):
        client.upload("covidx", [], in_flight=0)


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
