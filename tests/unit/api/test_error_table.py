"""The table of errors, and the errors of streams."""

import pytest

from support.errors import concrete_errors, example_of
from xmirad.api.clipping import clip
from xmirad.api.errors import BY_REASON, ROWS, from_proto_error, to_proto_error
from xmirad.api.v1 import resources_pb2
from xmirad.errors import BackendUnavailableError, InternalError, InvalidRequestError, XmiradError


def test_every_concrete_error_has_exactly_one_row() -> None:
    assert set(ROWS) == set(concrete_errors())


def test_no_two_errors_share_a_reason() -> None:
    assert len(BY_REASON) == len(ROWS)


@pytest.mark.parametrize("error_class", concrete_errors())
def test_an_error_passes_through_a_stream(error_class: type[XmiradError]) -> None:
    error = example_of(error_class)

    sent = resources_pb2.Error.FromString(to_proto_error(error).SerializeToString())
    received = from_proto_error(sent)

    assert type(received) is error_class
    assert received.message == error.message
    assert received.field == error.field
    assert received.metadata == error.metadata
    assert received.retry_delay_seconds == error.retry_delay_seconds


def test_an_error_without_field_and_delay_passes_through_a_stream() -> None:
    received = from_proto_error(to_proto_error(InvalidRequestError("No.")))

    assert received.field == ""
    assert received.retry_delay_seconds is None
    assert received.metadata == {}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(3, InvalidRequestError), (14, BackendUnavailableError), (9, InternalError), (99, InternalError)],
)
def test_an_unknown_reason_keeps_its_word_and_becomes_the_nearest_class(code: int, expected: type[XmiradError]) -> None:
    received = from_proto_error(resources_pb2.Error(code=code, reason="FROM_THE_FUTURE", message="Hello."))

    assert type(received) is expected
    assert received.message == "Hello."
    assert received.metadata == {"unknown_reason": "FROM_THE_FUTURE"}


def test_undecodable_file_names_do_not_break_the_error_that_names_them() -> None:
    received = from_proto_error(to_proto_error(InvalidRequestError("\udce4.png", metadata={"file": "\udce4.png"})))

    assert received.message == "?.png"
    assert received.metadata == {"file": "?.png"}


@pytest.mark.parametrize("text", ["", "abc", "ä" * 4, "abcdefghij"])
def test_short_texts_are_not_clipped(text: str) -> None:
    assert clip(text, 10) == text


@pytest.mark.parametrize("limit", range(3, 20))
def test_long_texts_are_clipped_to_the_limit_in_bytes(limit: int) -> None:
    clipped = clip("aäß€😀" * 10, limit)

    assert len(clipped.encode()) <= limit
    assert clipped.endswith("…")
    assert "aäß€😀aäß€😀".startswith(clipped.removesuffix("…"))
