"""Watching something that changes over as many streams as it takes."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from xmirad.api.v1 import archive_service_pb2 as archives
from xmirad.api.v1 import explanation_service_pb2 as explanations
from xmirad.client import explanation_parsing, import_calls
from xmirad.client.connection import Connection
from xmirad.client.explanation_types import ExplanationUpdate
from xmirad.client.import_types import Import
from xmirad.client.stubs import Stubs
from xmirad.errors import BackendUnavailableError

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
Update = TypeVar("Update")


class Watch(ABC, Generic[Update]):
    """What is known of something watched from one stream to the next. Knows no transport."""

    def __init__(self, *, timeout_seconds: float) -> None:
        """Give up when the service was not available for `timeout_seconds`."""
        self._timeout = timeout_seconds
        self._pause = FIRST_PAUSE_SECONDS
        self._broken_since: float | None = None

    @abstractmethod
    def method(self, stubs: Stubs) -> Any:  # noqa: ANN401 - synchronous or not, as the channel is
        """Pick the method that opens a stream."""

    @abstractmethod
    def request(self) -> Message:
        """Ask for what comes after the last update."""

    @abstractmethod
    def read(self, message: Any) -> Update:  # noqa: ANN401 - the method's answer
        """Read an update."""

    def received(self, message: Any) -> Update:  # noqa: ANN401 - the method's answer
        """Read an update, and go on behind it after the stream breaks."""
        self._broken_since = None
        self._pause = FIRST_PAUSE_SECONDS
        return self.read(message)

    def pause_after(self, error: Exception) -> float:
        """Return how many seconds to wait before the next stream.

        Raises:
            Exception: The error itself, if another stream cannot help or has not helped for too long.
        """
        now = time.monotonic()
        self._broken_since = self._broken_since or now
        if not isinstance(error, BackendUnavailableError) or now - self._broken_since > self._timeout:
            raise error
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        return pause


class ExplanationWatch(Watch[ExplanationUpdate]):
    """Watches an explanation."""

    def __init__(self, name: str, token: str, *, include_overlay: bool, timeout_seconds: float) -> None:
        """Begin behind a token."""
        super().__init__(timeout_seconds=timeout_seconds)
        self._name = name
        self._token = token
        self._include_overlay = include_overlay

    def method(self, stubs: Stubs) -> Any:  # noqa: ANN401, D102 - as in Watch
        return stubs.explanations.WatchExplanation

    def request(self) -> explanations.WatchExplanationRequest:  # noqa: D102
        return explanations.WatchExplanationRequest(
            name=self._name, resume_token=self._token, include_overlay=self._include_overlay
        )

    def read(self, message: explanations.WatchExplanationResponse) -> ExplanationUpdate:  # noqa: D102
        self._token = message.resume_token
        return explanation_parsing.update(message)


class ImportWatch(Watch[Import]):
    """Watches an import; a new stream begins with how far it is."""

    def __init__(self, name: str, *, timeout_seconds: float) -> None:
        """Begin with how far it is."""
        super().__init__(timeout_seconds=timeout_seconds)
        self._name = name

    def method(self, stubs: Stubs) -> Any:  # noqa: ANN401, D102
        return stubs.archives.WatchImport

    def request(self) -> archives.WatchImportRequest:  # noqa: D102
        return archives.WatchImportRequest(name=self._name)

    def read(self, message: archives.WatchImportResponse) -> Import:  # noqa: D102
        return import_calls.imported(message)


def updates(connection: Connection, watch: Watch[Update]) -> Iterator[Update]:
    """Yield what changes until nothing more will change; streams that break are taken up again.

    Closing the iterator ends the stream.

    Raises:
        XmiradError: As raised by the service; `BackendUnavailableError` if it was not available for too long.
    """
    while True:
        request_id, pause = uuid4().hex, 0.0
        stream = connection.watch(watch.method, watch.request(), request_id=request_id)
        try:
            while True:
                yield watch.received(next(stream))
        except StopIteration:
            return
        except grpc.RpcError as rpc_error:
            pause = watch.pause_after(connection.error_of(rpc_error, request_id))
        finally:
            stream.cancel()
        time.sleep(pause)
