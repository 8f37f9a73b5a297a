"""Configures the logs of a deployable."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO
from uuid import uuid4

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from xmirad.observability.fields import EventDict, describe_exception, only_allowed_fields
from xmirad.observability.tracing import trace_id
from xmirad.settings import LogFormat, LoggingSettings

REQUEST_ID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")


class _StrictHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        raise  # logging calls this while it handles the error


def configure_logging(settings: LoggingSettings, *, stream: TextIO | None = None, strict: bool = False) -> None:
    """Send the log lines of this process to one stream: colored on a terminal, else one JSON object a line.

    Args:
        settings: Format and level.
        stream: Where to write; standard error by default.
        strict: Raise on fields and event names that are not allowed, instead of leaving them out. For tests.
    """
    target = stream or sys.stderr
    handler = _StrictHandler(target) if strict else logging.StreamHandler(target)
    handler.setFormatter(_formatter(_renderer(settings.format, target), strict=strict))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


@contextmanager
def request_context(offered: str = "") -> Iterator[str]:
    """Put a request id into every log line of the block, and yield it.

    Args:
        offered: The caller's own id. It is used if it is a UUID, with or without hyphens, else replaced: it
            goes into logs, where a made-up word could name someone.
    """
    request_id = offered if REQUEST_ID.fullmatch(offered) else uuid4().hex
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield request_id


def current_request_id() -> str:
    """Return the request id of the block that this runs in, or an empty string."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def _renderer(log_format: LogFormat, stream: TextIO) -> Processor:
    terminal = stream.isatty()
    if log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and terminal):
        return structlog.dev.ConsoleRenderer(colors=terminal)
    return structlog.processors.JSONRenderer()


def _formatter(renderer: Processor, *, strict: bool) -> ProcessorFormatter:
    return ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.ExtraAdder()],
        processors=[
            _add_origin,
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            describe_exception,
            only_allowed_fields(strict=strict),
            renderer,
        ],
    )


def _add_origin(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's signature
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    event["level"] = record.levelname.lower()
    if trace := trace_id():
        event["trace_id"] = trace
    return event
