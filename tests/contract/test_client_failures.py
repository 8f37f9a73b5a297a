"""What the SDK does when a call fails: the same errors, retries, deadlines, and a service that is not there yet."""

import threading

import grpc
import pytest

from support.fake_service import FakeService, fake_service
from support.uploads import picture
from xmirad.client import Client, Upload
from xmirad.errors import (
    BackendUnavailableError,
    InvalidImageError,
    InvalidRequestError,
    PayloadTooLargeError,
)
from xmirad.ids import image_digest
from xmirad.types import EncodedImage


def test_an_error_carries_field_limit_and_request_id(service: FakeService, client: Client, names: list[str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.search("covidx", names[0], top_k=1001)

    assert caught.value.field == "top_k"
    assert caught.value.metadata["maximum"] == "1000"
    assert caught.value.metadata["request_id"] == service.switches.request_ids[-1]


def test_an_undecodable_image_is_refused_and_the_next_one_is_not(client: Client, names: list[str]) -> None:
    with pytest.raises(InvalidImageError):
        client.search("covidx", EncodedImage(b"bad"))

    assert client.search("covidx", picture(0)).results[0].item == names[0]


@pytest.mark.parametrize("external_id", ["\udce4.png", "x" * 300])
def test_an_identifier_that_cannot_be_sent_or_is_too_long_is_refused(
    client: Client, names: list[str], external_id: str
) -> None:
    with pytest.raises(InvalidRequestError):
        client.create_item("covidx", Upload(picture(0), external_id=external_id))


def test_messages_of_sixty_megabytes_pass_and_larger_ones_are_too_large(client: Client) -> None:
    large = EncodedImage(bytes(60 << 20))

    assert client.embed_image(large).image_digest == image_digest(large.data)
    with pytest.raises(PayloadTooLargeError):
        client.embed_image(EncodedImage(bytes((60 << 20) + 1)))
    with pytest.raises(PayloadTooLargeError) as caught:
        client.embed_image(EncodedImage(bytes(65 << 20)))
    assert caught.value.metadata["max_message_bytes"] == str(64 << 20)


@pytest.mark.parametrize("length", [1, 5 << 20])
def test_a_call_is_repeated_when_the_service_was_not_available(
    service: FakeService, client: Client, length: int
) -> None:
    service.switches.failures["EmbedImage"] = [grpc.StatusCode.UNAVAILABLE]

    client.embed_image(EncodedImage(bytes(length)))

    assert service.switches.calls["EmbedImage"] == 2
    assert len(set(service.switches.request_ids)) == 1


def test_a_call_is_repeated_three_times_and_then_fails(service: FakeService, client: Client) -> None:
    service.switches.failures["GetServerInfo"] = [
        BackendUnavailableError("no", metadata={"backend": "qdrant"}) for _ in range(9)
    ]

    with pytest.raises(BackendUnavailableError) as caught:
        client.server_info()

    assert service.switches.calls["GetServerInfo"] == 4
    assert caught.value.metadata["backend"] == "qdrant"


def test_other_failures_are_not_repeated(service: FakeService, client: Client) -> None:
    service.switches.failures["GetServerInfo"] = [InvalidRequestError("no")]

    with pytest.raises(InvalidRequestError):
        client.server_info()

    assert service.switches.calls["GetServerInfo"] == 1


def test_an_answer_that_takes_too_long_is_a_timeout(service: FakeService) -> None:
    service.switches.delay_seconds = 0.5
    with Client(service.address, timeout_seconds=0.1) as client, pytest.raises(TimeoutError, match="in time") as caught:
        client.server_info()

    assert any("request id" in note for note in caught.value.__notes__)


def test_where_nothing_answers_the_error_says_what_to_do() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(BackendUnavailableError) as caught:
        client.server_info()

    assert caught.value.message == "Nothing answers at 127.0.0.1:1; start it with `xmirad up`"
    assert caught.value.metadata["backend"] == "service"


def test_waiting_for_a_service_that_never_comes_ends_in_time() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(BackendUnavailableError, match=r"after 0\.3 s"):
        client.wait_until_ready(0.3)


def test_waiting_ends_when_the_service_comes() -> None:
    with fake_service() as first:
        address = first.address
    with Client(address) as client:
        waiting = threading.Thread(target=client.wait_until_ready, args=(20,))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        with fake_service(address):
            waiting.join(5)
            assert not waiting.is_alive()
            assert client.server_info().version


def test_waiting_goes_on_while_the_service_refuses(service: FakeService, client: Client) -> None:
    service.switches.failures["GetServerInfo"] = [grpc.StatusCode.UNAVAILABLE] * 6

    client.wait_until_ready(10)

    assert service.switches.calls["GetServerInfo"] == 7


def test_a_client_survives_a_restart_of_the_service() -> None:
    with fake_service() as first:
        address = first.address
        client = Client(address, timeout_seconds=5)
        client.server_info()
    with client:
        with pytest.raises(BackendUnavailableError):
            client.server_info()
        with fake_service(address):
            client.wait_until_ready(5)
            client.server_info()
