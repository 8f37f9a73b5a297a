"""What the exit code of a command means."""

from enum import IntEnum

from xmirad.errors import BackendUnavailableError, CalibrationRefusedError, InvalidRequestError, XmiradError


class ExitCode(IntEnum):
    """Exit codes, for scripts."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    UNAVAILABLE = 3
    GATE_NOT_REACHED = 4
    PARTLY_FAILED = 5
    CALIBRATION_REFUSED = 6
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODES_HELP = """\b
Exit codes:
  0  done
  1  failed
  2  a wrong option, argument or setting
  3  the service is not available
  4  the result is below the gate that was set (--min-map)
  5  done, but some images, maps or figures failed; they are named
  6  a calibration that cannot be believed was refused; nothing was stored
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)"""


def exit_code_of(error: XmiradError) -> ExitCode:
    """Return the exit code for an error."""
    if isinstance(error, BackendUnavailableError):
        return ExitCode.UNAVAILABLE
    if isinstance(error, CalibrationRefusedError):
        return ExitCode.CALIBRATION_REFUSED
    return ExitCode.USAGE if isinstance(error, InvalidRequestError) else ExitCode.FAILURE
