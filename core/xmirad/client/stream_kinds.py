"""The bidirectional streams of the contract: how requests are made and answers read. Knows no transport."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from xmirad.api.limits import DEFAULT_MAX_MESSAGE_BYTES
from xmirad.client import parsing, requests, search_parsing
from xmirad.client.search_types import StreamedOutcome, StreamedSearch
from xmirad.client.stubs import Stubs
from xmirad.client.types import Upload, UploadOutcome
from xmirad.errors import PayloadTooLargeError, XmiradError


class Correlated(Protocol):
    """A value or an answer with the word that joins the two."""

    @property
    def correlation_id(self) -> str: ...  # noqa: D102


Asked = TypeVar("Asked", bound=Correlated)
Sent = TypeVar("Sent", bound=Message)
Received = TypeVar("Received", bound=Correlated)
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class StreamKind(Generic[Asked, Outcome]):
    """What one method's stream is made of.

    Attributes:
        method: Picks the method.
        build: Makes a request; raises `XmiradError` where the value cannot be sent.
        parse: Makes an outcome of an answer.
        failed: Makes an outcome of a correlation id and an error.
    """

    method: Callable[[Stubs], Any]
    build: Callable[[Asked], Message]
    parse: Callable[[Any], Outcome]
    failed: Callable[[str, XmiradError], Outcome]

    def request(self, value: Asked) -> Message:
        """Make a request, and refuse what the channel would refuse, which would end the whole stream.

        Raises:
            PayloadTooLargeError: If the message is longer than the contract allows.
            XmiradError: If the value cannot be sent.
        """
        request = self.build(value)
        length, limit = request.ByteSize(), DEFAULT_MAX_MESSAGE_BYTES
        if length > limit:
            metadata = {"message_bytes": str(length), "max_message_bytes": str(limit)}
            message = f"the message has {length} bytes; at most {limit} are allowed"
            raise PayloadTooLargeError(message, metadata=metadata)
        return request


def uploading(archive: str) -> StreamKind[Upload, UploadOutcome]:
    """Return the stream that stores images in an archive."""
    return _kind(
        lambda stubs: stubs.archives.UploadItems,
        lambda upload: requests.upload_items_request(archive, upload),
        parsing.upload_outcome,
        lambda correlation_id, error: UploadOutcome(correlation_id, None, error),
    )


def searching(archive: str) -> StreamKind[StreamedSearch, StreamedOutcome]:
    """Return the stream that searches an archive."""
    return _kind(
        lambda stubs: stubs.retrieval.StreamSearch,
        lambda search: requests.stream_search_request(archive, search),
        lambda answer: search_parsing.streamed_outcome(answer, archive=archive),
        lambda correlation_id, error: StreamedOutcome(correlation_id, None, error),
    )


def _kind(
    method: "Callable[[Stubs], grpc.StreamStreamMultiCallable[Sent, Received]]",
    build: Callable[[Asked], Sent],
    parse: Callable[[Received], Outcome],
    failed: Callable[[str, XmiradError], Outcome],
) -> StreamKind[Asked, Outcome]:
    """Return a kind; the types of requests and answers must be the method's."""
    return StreamKind(method, build, parse, failed)
