import errno

import pytest

from xmirad.errors import BackendUnavailableError, InvalidRequestError, SiteKeyMismatchError, XmiradError
from xmirad.supervisor.exits import EXIT_NOT_RESTARTABLE, report_failed_start, reported_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BackendUnavailableError("the queue does not answer"), 1),
        (InvalidRequestError("it is missing: a [certificate]", field="security.tls_key_file"), EXIT_NOT_RESTARTABLE),
        (SiteKeyMismatchError("the site key is missing"), EXIT_NOT_RESTARTABLE),
    ],
)
def test_the_supervisor_reads_the_error_that_a_process_has_written(
    error: XmiradError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report_failed_start(error) == code
    found = reported_error(capsys.readouterr().err.strip())
    assert type(found) is type(error)
    assert found is not None
    assert (found.message, found.field) == (error.message, error.field)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 1), (errno.EDQUOT, 1), (errno.EROFS, EXIT_NOT_RESTARTABLE)]
)
def test_a_full_file_system_is_named_and_tried_again_and_a_read_only_one_is_not(
    number: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report_failed_start(OSError(number, "No space left", "/home/run/x")) == code
    assert "No space left at /home/run/x; free space" in capsys.readouterr().err


def test_any_other_error_of_the_system_keeps_its_trace() -> None:
    with pytest.raises(ConnectionError):
        report_failed_start(ConnectionResetError(errno.ECONNRESET, "reset"))


@pytest.mark.parametrize("line", ["", "boom", "xmirad: it [NO_SUCH_REASON]"])
def test_another_line_is_no_report(line: str) -> None:
    assert reported_error(line) is None
