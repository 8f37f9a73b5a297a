"""How a process that cannot go on tells its supervisor why: its last line and its exit code."""

import errno
import re
import sys

from xmirad.api.errors import BY_REASON
from xmirad.errors import BackendUnavailableError, XmiradError

EXIT_NOT_RESTARTABLE = 78
"""Starting the process again would come to the same (EX_CONFIG of sysexits.h)."""
FULL = (errno.ENOSPC, errno.EDQUOT)
LINE = re.compile(r"xmirad: (?P<message>.*) \[(?P<reason>[A-Z_]+)(?:, (?P<field>[\w.]+))?\]")


def report_failed_start(error: XmiradError | OSError) -> int:
    """Write an error as the last line of the log, and return the exit code.

    Raises:
        OSError: Again, if it is not about a file system that is full or read-only: its trace is needed then.
    """
    if isinstance(error, OSError):
        if error.errno not in (*FULL, errno.EROFS):
            raise error
        # Space may be made while the system runs, and it then goes on by itself.
        code = 1 if error.errno in FULL else EXIT_NOT_RESTARTABLE
        place = f" at {error.filename}" if error.filename else ""
        error = BackendUnavailableError(f"{error.strerror}{place}; free space, or choose another home", field="home")
    else:
        code = 1 if isinstance(error, BackendUnavailableError) else EXIT_NOT_RESTARTABLE
    field = f", {error.field}" if error.field else ""
    sys.stderr.write(f"xmirad: {error.message} [{error.reason}{field}]\n")
    return code


def reported_error(line: str) -> XmiradError | None:
    """Return the error that a process wrote as its last line, or None if the line is something else."""
    found = LINE.fullmatch(line)
    error = BY_REASON.get(found["reason"]) if found else None
    return None if found is None or error is None else error(found["message"], field=found["field"] or "")
