"""What may be in a log line: an allow-list of fields, each cleaned. Nothing that names a person gets through.

A line is an event name, such as `search.completed`, and fields. Text of other libraries and messages of foreign
exceptions are left out, because they quote what they choke on: tags, file names, patient ids.
"""

import re
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any

from xmirad.errors import XmiradError

EventDict = MutableMapping[str, Any]
Processor = Callable[[Any, str, EventDict], EventDict]

OWN_LOGGER = "xmirad"
EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
MAX_CHARACTERS = 300
MAX_FRAMES = 20
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

# Names of fields that logs may have. Their values are numbers, words of ours, digests and ids; never content, names of
# files or what a client made up.
ALLOWED_FIELDS = frozenset(
    {
        # the line itself
        "event",
        "level",
        "timestamp",
        "logger",
        "exception",
        "dropped_fields",
        # the request
        "request_id",
        "trace_id",
        "boot_id",
        "method",
        "code",
        "reason",
        "cause",
        "problem",
        "field",
        "limit",
        # items and results
        "archive",
        "item",
        "items",
        "created",
        "updated",
        "unchanged",
        "failed",
        "deleted",
        "restored",
        "removed",
        "batch",
        "results",
        "searched_items",
        # the model
        "model",
        "model_digest",
        "embedding_size",
        "architecture",
        "preprocessing",
        "site_key_fingerprint",
        "image",
        "explanation",
        # the search
        "top_k",
        "exact",
        "view",
        "outcome",
        "policy",
        # the image
        "media_type",
        "transfer_syntax",
        "notes",
        "frame",
        "frames",
        "frame_count",
        "bytes",
        "pixels",
        # times
        "duration_ms",
        "decode_ms",
        "embed_ms",
        "search_ms",
        "write_ms",
        "seconds",
        "delay_seconds",
        "timeout_seconds",
        "drain_seconds",
        # amounts
        "count",
        "pages",
        "size",
        "memory_bytes",
        "max_message_bytes",
        "threads",
        "children",
        "in_flight",
        "queue_depth",
        "attempt",
        "attempts",
        # processes and stores
        "version",
        "address",
        "host",
        "port",
        "pid",
        "program",
        "exit_code",
        "signal",
        "state",
        "store",
        "backend",
        "kind",
        "collection",
        "segment",
    }
)


def only_allowed_fields(*, strict: bool = False) -> Processor:
    """Return a processor that keeps the fields of the allow-list only.

    Args:
        strict: Raise on a field or an event name that is not allowed, instead of leaving it out. For tests.
    """

    def process(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's signature
        name = _event_name(event, strict=strict)
        unknown = [key for key in event if key not in ALLOWED_FIELDS]
        if unknown and strict:
            raise ValueError(f"log fields that are not on the allow-list: {unknown}")
        kept = {key: _clean(value) for key, value in event.items() if key in ALLOWED_FIELDS}
        if unknown:
            kept["dropped_fields"] = len(unknown)
        kept["event"] = name
        return kept

    return process


def describe_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's signature
    """Replace `exc_info` by `exception`: type and frames, and the message where it is one of ours."""
    error = _exception_of(event.pop("exc_info", None))
    if error is not None:
        event["exception"] = _frames(error)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    return event


def escape_controls(text: str) -> str:
    """Return a text without line breaks, terminal sequences and other characters that are not seen."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _event_name(event: Mapping[str, Any], *, strict: bool) -> str:
    name = str(event.get("event", ""))
    if not str(event.get("logger", OWN_LOGGER)).startswith(OWN_LOGGER):
        return "library.message"
    if EVENT_NAME.fullmatch(name):
        return name
    if strict:
        raise ValueError(f"a log line must begin with an event name such as search.completed, not {name!r}")
    return "log.unnamed_event"


def _clean(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - a caller may log anything
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        value = ", ".join(str(part) for part in value)
    if not isinstance(value, str):
        return f"<{type(value).__name__}>"
    text = escape_controls(value[: MAX_CHARACTERS + 1])
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _exception_of(info: object) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return info[1] if isinstance(info[1], BaseException) else None
    return sys.exc_info()[1] if info else None


def _frames(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, XmiradError):
        name = f"{name}({error.reason}: {error.message})"
    trace: TracebackType | None = error.__traceback__
    frames = [f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in traceback.walk_tb(trace)]
    cause = error.__cause__ or error.__context__
    chain = f"; from {type(cause).__name__}" if cause is not None else ""
    return f"{name} at {' > '.join(frames[-MAX_FRAMES:])}{chain}"
