"""Asks a Qdrant server for its version without Qdrant's client, which takes more than a second to import."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import grpc

from xmirad.archive.qdrant_statuses import translated

METHOD = "/qdrant.Qdrant/HealthCheck"
DEFAULT_PORT = 6334
VERSION_TAG = 0x12
"""Of HealthCheckReply: the tag of `version`. All fields of that message are short strings: tag, length, bytes."""


def server_version(
    url: str, *, api_key: str | None, grpc_options: Mapping[str, str | int | bytes], timeout_seconds: float
) -> str:
    """Return the version of a server.

    Args:
        url: As for `QdrantStore`.
        api_key: Sent with the call.
        grpc_options: As for `QdrantStore`; only `root_certificates` is looked at.
        timeout_seconds: How long to wait for an answer.

    Raises:
        BackendUnavailableError: If the server does not answer in time, or refuses the credentials.
        InternalError: If what answers is no Qdrant server.
    """
    address = urlsplit(url)
    target = f"{address.hostname}:{address.port or DEFAULT_PORT}"
    roots = grpc_options.get("root_certificates")
    channel = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials(roots if isinstance(roots, bytes) else None))
        if address.scheme == "https"
        else grpc.insecure_channel(target)
    )
    with channel:
        check = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
        metadata = () if api_key is None else (("api-key", api_key),)
        try:
            return _version(check(b"", timeout=timeout_seconds, metadata=metadata))
        except grpc.RpcError as error:
            raise translated(error) from error


def _version(reply: bytes) -> str:
    while len(reply) > 1:
        tag, length = reply[0], reply[1]
        if tag == VERSION_TAG:
            return reply[2 : 2 + length].decode("ascii", "replace")
        reply = reply[2 + length :]
    return "of unknown version"
