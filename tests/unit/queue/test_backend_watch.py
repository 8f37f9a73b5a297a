"""A backend that is away is named once, and once more when it is back."""

import logging

import pytest

from xmirad.errors import BackendUnavailableError
from xmirad.queue.backend_watch import BackendWatch


class Backend:
    """Answers, or is away for a cause."""

    def __init__(self) -> None:
        self.cause: str | None = None

    def ping(self) -> None:
        if self.cause is not None:
            metadata = {"backend": "qdrant"} | ({"cause": self.cause} if self.cause else {})
            raise BackendUnavailableError("away", metadata=metadata)


def test_only_changes_are_logged_with_backend_and_cause(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    backend = Backend()
    watch = BackendWatch(backend.ping, backend="qdrant")
    for cause in (None, "CREDENTIALS_REFUSED", "CREDENTIALS_REFUSED", None, None, ""):
        backend.cause = cause
        watch.look()

    told = [(record.message, record.__dict__["backend"], record.__dict__.get("cause")) for record in caplog.records]
    assert told == [
        ("backend.not_available", "qdrant", "CREDENTIALS_REFUSED"),
        ("backend.available", "qdrant", None),
        ("backend.not_available", "qdrant", ""),
    ]
