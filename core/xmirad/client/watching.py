"""Watching an explanation over as many streams as it takes."""

import time
from collections.abc import Iterator
from uuid import uuid4

import grpc

from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.client import explanation_parsing
from xmirad.client.connection import Connection
from xmirad.client.explanation_types import ExplanationUpdate
from xmirad.errors import BackendUnavailableError

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Watch:
    """What is known of a watched explanation from one stream to the next. Knows no transport."""

    def __init__(self, name: str, token: str, *, include_overlay: bool, timeout_seconds: float) -> None:
        """Begin behind a token, and give up when the service was not available for `timeout_seconds`."""
        self._name = name
        self._token = token
        self._include_overlay = include_overlay
        self._timeout = timeout_seconds
        self._pause = FIRST_PAUSE_SECONDS
        self._broken_since: float | None = None

    def request(self) -> pb.WatchExplanationRequest:
        """Ask for what comes after the last update."""
        return pb.WatchExplanationRequest(
            name=self._name, resume_token=self._token, include_overlay=self._include_overlay
        )

    def received(self, message: pb.WatchExplanationResponse) -> ExplanationUpdate:
        """Read an update, and go on behind it after the stream breaks."""
        self._token = message.resume_token
        self._broken_since = None
        self._pause = FIRST_PAUSE_SECONDS
        return explanation_parsing.update(message)

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


def updates(connection: Connection, watch: Watch) -> Iterator[ExplanationUpdate]:
    """Yield an explanation after every change, until nothing more will change; streams that break are taken up again.

    Closing the iterator ends the stream.

    Raises:
        XmiradError: As raised by the service; `BackendUnavailableError` if it was not available for too long.
    """
    while True:
        request_id, pause = uuid4().hex, 0.0
        stream = connection.watch(
            lambda stubs: stubs.explanations.WatchExplanation, watch.request(), request_id=request_id
        )
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
