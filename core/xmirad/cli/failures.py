"""Turns errors into one clear line and an exit code, and lets global flags stand anywhere."""

import errno
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import typer
from typer.core import TyperGroup

from xmirad.cli.exit_codes import ExitCode, exit_code_of
from xmirad.cli.output import Output
from xmirad.cli.session import flags_of
from xmirad.errors import BackendUnavailableError, InternalError, XmiradError

VALUE_FLAGS = ("--home", "--address", "--token-file")
SWITCHES = ("--debug", "--private")


class ReportingGroup(TyperGroup):
    """The outermost command: whatever a command raises ends here."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's own arguments
        """Name the types of repeatable options as people would: `<str>`, not `<list[str]>`."""
        super().__init__(**attributes)
        for parameter in _parameters(self):
            if getattr(parameter, "multiple", False) and parameter.metavar is None:
                shown = str(parameter.display_type(None))
                parameter.metavar = f"<{shown.removeprefix('<list[').removesuffix(']>')}>"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own class has no name
        """Read the arguments, with the global flags moved to the front."""
        return super().parse_args(ctx, global_flags_first(args))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own class has no name
        """Run the command and report its error."""
        output = Output(as_json="--json" in [*ctx._protected_args, *ctx.args])
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            output.note("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except (XmiradError, TimeoutError, OSError, ImportError) as error:
            if flags_of(ctx).debug or (isinstance(error, OSError) and error.errno == errno.EPIPE):
                raise
            expected = _expected(error)
            report(expected, output)
            raise typer.Exit(exit_code_of(expected)) from error


def global_flags_first(args: Sequence[str]) -> list[str]:
    """Move the global flags in front of the command, so that they may stand behind it too."""
    front: list[str] = []
    others: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            others += [arg, *rest]
        elif arg in VALUE_FLAGS:
            front += [arg, *islice(rest, 1)]
        elif arg in SWITCHES or arg.startswith(tuple(f"{flag}=" for flag in VALUE_FLAGS)):
            front.append(arg)
        else:
            others.append(arg)
    return front + others


def _parameters(command: Any) -> Iterator[Any]:  # noqa: ANN401 - typer's own class has no name
    """Yield the parameters of a command and of all below it."""
    yield from command.params
    for below in getattr(command, "commands", {}).values():
        yield from _parameters(below)


def report(error: XmiradError, output: Output) -> None:
    """Print an error: one line, and the end of a log where one belongs to it."""
    metadata = {name: value for name, value in error.metadata.items() if name != "tail"}
    field = f", {error.field}" if error.field else ""
    output.json({"error": {"reason": error.reason, "message": error.message, "field": error.field, **metadata}})
    output.note(f"error: {error.message} [{error.reason}{field}]")
    for line in error.metadata.get("tail", "").splitlines():
        output.note(f"  | {line}")


def _expected(error: Exception) -> XmiradError:
    if isinstance(error, XmiradError):
        return error
    if isinstance(error, TimeoutError):
        return BackendUnavailableError(str(error) or "the service does not answer in time")
    if isinstance(error, ModuleNotFoundError):
        message = (
            f"this needs the Python package {error.name}: install xmirad[server] (for models build: xmirad[train])"
        )
        return InternalError(message)
    return InternalError(str(error))


def end_process_on_sigterm(_signal: int, _frame: object) -> None:
    """Unwind, so that a private service is taken down in order."""
    sys.exit(ExitCode.TERMINATED)
