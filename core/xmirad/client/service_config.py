"""How the SDK's channels behave: retries, message limits, keepalive, reconnecting."""

import json
import re

from xmirad.api.limits import DEFAULT_MAX_MESSAGE_BYTES

MAX_ATTEMPTS = 4
ChannelOptions = list[tuple[str, str | int]]

# Every method may be retried (the contract says so): it has the same effect again, or the SDK gives the request an
# id, under which the service returns what it came to the first time. UNAVAILABLE is worth it, and CANCELLED, which is
# what a service that shuts down makes of calls that have just arrived; what the caller cancels is not retried. Waits
# are random, up to 0.1 s, 0.3 s and 0.9 s; when more than half of the recent calls failed, nothing is retried until
# calls succeed again. Streams are not retried here: gRPC would replay what was sent, and a stream whose service died
# before its first answer was seen to wait for ever. The SDK says which requests of a broken stream were not answered.
SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": "xmirad.v1.RetrievalService", "method": "StreamSearch"},
                    {"service": "xmirad.v1.ArchiveService", "method": "UploadItems"},
                    {"service": "xmirad.v1.ArchiveService", "method": "WatchImport"},
                    {"service": "xmirad.v1.ExplanationService", "method": "WatchExplanation"},
                ]
            },
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": MAX_ATTEMPTS,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            },
        ],
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
    }
)
LOOPBACK = re.compile(r"(ipv4:|ipv6:|dns:/*)?(127\.|localhost(:|$)|\[::1\])|unix:")


def channel_options(address: str, *, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> ChannelOptions:
    """Return the options of a channel to a service."""
    options: ChannelOptions = [
        ("grpc.service_config", SERVICE_CONFIG),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # A request beyond this buffer is never retried, and the default of 256 KiB is smaller than an X-ray.
        ("grpc.per_rpc_retry_buffer_size", max_message_bytes),
        # A dead peer ends a waiting call within 80 s. Pings without a call would be refused by servers.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # A service that starts is found at once: the defaults wait from 1 s up to two minutes between attempts.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 2_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # Clients of one process do not share a connection, nor its waiting time after a failure.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if LOOPBACK.match(address):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy of the environment does not lead to this machine
    return options
