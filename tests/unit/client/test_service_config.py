"""Options of the SDK's channels."""

import json

import pytest

from support.fake_service import MODULES
from xmirad.client.service_config import SERVICE_CONFIG, channel_options


def test_only_unavailable_is_retried_and_streams_are_not_retried_at_all() -> None:
    streams, others = json.loads(SERVICE_CONFIG)["methodConfig"]
    streaming = {
        (service.full_name, method.name)
        for module in MODULES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.client_streaming or method.server_streaming
    }

    assert {(name["service"], name["method"]) for name in streams["name"]} == streaming
    assert "retryPolicy" not in streams
    assert others["name"] == [{}]
    assert others["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE", "CANCELLED"]
    assert others["retryPolicy"]["maxAttempts"] == 4


def test_messages_and_their_retries_have_the_same_limit() -> None:
    options = dict(channel_options("pacs:50051", max_message_bytes=1000))

    limits = ("max_send_message_length", "max_receive_message_length", "per_rpc_retry_buffer_size")
    assert [options[f"grpc.{limit}"] for limit in limits] == [1000, 1000, 1000]


@pytest.mark.parametrize(
    "address", ["127.0.0.1:50051", "localhost:1", "[::1]:1", "unix:/run/x", "ipv4:127.0.0.1:1", "dns:///localhost:1"]
)
def test_a_proxy_is_not_asked_for_this_machine(address: str) -> None:
    assert dict(channel_options(address))["grpc.enable_http_proxy"] == 0


@pytest.mark.parametrize("address", ["pacs:50051", "10.0.0.1:50051", "localhost.example.org:1", "1127.0.0.1:1"])
def test_a_proxy_may_lead_to_other_machines(address: str) -> None:
    assert "grpc.enable_http_proxy" not in dict(channel_options(address))
