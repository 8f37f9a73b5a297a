import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from xmirad.errors import ModelCorruptError
from xmirad.observability.logs import configure_logging, request_context
from xmirad.settings import LogFormat, LoggingSettings, LogLevel

PLANTED = "DOE^JANE"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def _json_logs(stream: io.StringIO) -> None:
    configure_logging(LoggingSettings(level=LogLevel.DEBUG), stream=stream)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.usefixtures("_json_logs")
def test_an_event_keeps_its_allowed_fields(stream: io.StringIO) -> None:
    structlog.get_logger("xmirad.test").info("search.completed", top_k=10, exact=True, duration_ms=1.5)
    (line,) = _lines(stream)
    assert (line["event"], line["top_k"], line["exact"], line["duration_ms"]) == ("search.completed", 10, True, 1.5)
    assert (line["level"], line["logger"]) == ("info", "xmirad.test")
    assert line["timestamp"].endswith("Z")


@pytest.mark.usefixtures("_json_logs")
def test_library_code_logs_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("xmirad.archive").warning("archive.opened", extra={"archive": "covidx", "count": 3})
    (line,) = _lines(stream)
    assert (line["event"], line["archive"], line["count"], line["level"]) == ("archive.opened", "covidx", 3, "warning")


@pytest.mark.usefixtures("_json_logs")
def test_fields_that_are_not_on_the_list_are_left_out_and_counted(stream: io.StringIO) -> None:
    structlog.get_logger("xmirad.test").info("item.stored", patient_name=PLANTED, file=f"/x/{PLANTED}.dcm", count=1)
    assert PLANTED not in stream.getvalue()
    assert _lines(stream)[0]["dropped_fields"] == 2


@pytest.mark.usefixtures("_json_logs")
def test_a_sentence_is_no_event_and_its_text_is_left_out(stream: io.StringIO) -> None:
    logging.getLogger("xmirad.test").warning("could not read %s", PLANTED)
    assert PLANTED not in stream.getvalue()
    assert _lines(stream)[0]["event"] == "log.unnamed_event"


@pytest.mark.usefixtures("_json_logs")
def test_the_text_of_other_libraries_is_left_out(stream: io.StringIO) -> None:
    logging.getLogger("pydicom").warning("Invalid value %r for PN", PLANTED)
    assert PLANTED not in stream.getvalue()
    assert (_lines(stream)[0]["event"], _lines(stream)[0]["logger"]) == ("library.message", "pydicom")


@pytest.mark.usefixtures("_json_logs")
def test_the_message_of_a_foreign_exception_is_left_out_but_not_where_it_was_raised(stream: io.StringIO) -> None:
    try:
        raise ValueError(PLANTED)
    except ValueError:
        structlog.get_logger("xmirad.test").exception("request.failed")
        logging.getLogger("xmirad.test").exception("request.failed")
    assert PLANTED not in stream.getvalue()
    for line in _lines(stream):
        assert line["exception"].startswith("ValueError at ")
        assert "test_log_fields" in line["exception"]


@pytest.mark.usefixtures("_json_logs")
def test_the_message_of_our_own_exception_is_kept(stream: io.StringIO) -> None:
    structlog.get_logger("xmirad.test").error("model.refused", exc_info=ModelCorruptError("weights differ"))
    assert "MODEL_CORRUPT: weights differ" in _lines(stream)[0]["exception"]


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
@pytest.mark.parametrize("attack", ["a\nevent=fake", "a\r\x1b[2Jb", "a\x9b31mb", "a\u2028b", "a\u202eb", "a\x00b"])
def test_no_value_can_start_a_line_or_color_the_terminal(
    stream: io.StringIO, log_format: LogFormat, attack: str
) -> None:
    configure_logging(LoggingSettings(format=log_format), stream=stream)
    structlog.get_logger("xmirad.test").info("search.completed", reason=attack)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert attack not in text
    assert "\x1b[2J" not in text
    assert not set(text) & set("\r\x9b\u2028\u202e\x00")


@pytest.mark.usefixtures("_json_logs")
def test_long_values_are_cut(stream: io.StringIO) -> None:
    structlog.get_logger("xmirad.test").info(
        "search.completed", reason="x" * 100_000, notes=b"secret", items=("a", "b")
    )
    (line,) = _lines(stream)
    assert len(line["reason"]) == 300
    assert (line["notes"], line["items"]) == ("<bytes>", "a, b")


@pytest.mark.usefixtures("_json_logs")
def test_every_line_of_a_request_has_its_id(stream: io.StringIO) -> None:
    offered = "0b1f6c1e-64a5-4d0c-9d0d-0b6f5a3c2f11"
    with request_context(offered) as request_id:
        structlog.get_logger("xmirad.test").info("search.started")
        logging.getLogger("xmirad.test").info("search.completed")
    logging.getLogger("xmirad.test").info("search.idle")
    assert request_id == offered
    assert [line.get("request_id") for line in _lines(stream)] == [offered, offered, None]


@pytest.mark.parametrize("offered", ["", "DOE-JANE", "12345678", "0b1f6c1e64a54d0c9d0d0b6f5a3c2f11\n"])
def test_an_offered_request_id_that_is_no_uuid_is_replaced(offered: str) -> None:
    with request_context(offered) as request_id:
        assert request_id != offered
        assert len(request_id) == 32


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colors_are_for_terminals_only(stream: io.StringIO) -> None:
    terminal = _Terminal()
    configure_logging(LoggingSettings(), stream=terminal)
    structlog.get_logger("xmirad.test").info("search.completed")
    configure_logging(LoggingSettings(format=LogFormat.CONSOLE), stream=stream)
    structlog.get_logger("xmirad.test").info("search.completed")
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_the_level_is_obeyed(stream: io.StringIO) -> None:
    configure_logging(LoggingSettings(level=LogLevel.WARNING), stream=stream)
    structlog.get_logger("xmirad.test").info("search.completed")
    structlog.get_logger("xmirad.test").warning("search.slow")
    assert [line["event"] for line in _lines(stream)] == ["search.slow"]


def test_strict_logs_raise_where_others_leave_out(stream: io.StringIO) -> None:
    configure_logging(LoggingSettings(), stream=stream, strict=True)
    with pytest.raises(ValueError, match="patient_name"):
        structlog.get_logger("xmirad.test").info("item.stored", patient_name=PLANTED)
    with pytest.raises(ValueError, match="event name"):
        logging.getLogger("xmirad.test").warning("something happened")
