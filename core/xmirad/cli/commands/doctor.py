"""`xmirad doctor`: what is wrong, and what helps."""

import logging
import os
import sys
from typing import TYPE_CHECKING

import typer

from xmirad.cli import options
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.output import Output
from xmirad.cli.session import flags_of

if TYPE_CHECKING:
    from xmirad.doctor.findings import Diagnosis

EXAMPLES = """\b
Examples:
  xmirad doctor
  xmirad doctor --json | jq '.findings[] | select(.state == "failed")'
The exit code is 1 if anything failed. Nothing is changed, and no secret is shown."""
MARKS = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
PLAIN_MARKS = MARKS | {"ok": "+", "failed": "x"}


def doctor(context: typer.Context, as_json: options.Json = False) -> None:
    """Check settings, model, disk, service, credentials, queue, archives and vector store, in less than 5 s."""
    from xmirad.doctor.examining import diagnose

    # What the library would log of files and connections is among the findings.
    logging.getLogger("xmirad").setLevel(logging.ERROR)
    diagnosis = diagnose(flags_of(context).as_settings())
    output = Output(as_json)
    output.json({"healthy": diagnosis.healthy, "seconds": diagnosis.seconds, "findings": diagnosis.findings})
    _tell(diagnosis, output)
    code = ExitCode.OK if diagnosis.healthy else ExitCode.FAILURE
    if not diagnosis.is_complete:
        # A check that hangs in the middle of a library must be given no chance to keep or crash the process.
        sys.stdout.flush()
        os._exit(code)
    raise typer.Exit(code)


def _tell(diagnosis: "Diagnosis", output: Output) -> None:
    marks = MARKS if _can_print(*MARKS.values()) else PLAIN_MARKS
    width = max(len(finding.name) for finding in diagnosis.findings)
    for finding in diagnosis.findings:
        output.text(f"{marks[finding.state]} {finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            output.text(f"  {'':<{width}}  -> {finding.remedy}")
    counts = {state: sum(finding.state == state for finding in diagnosis.findings) for state in MARKS}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    output.text(f"{told}; {diagnosis.seconds:.1f} s")


def _can_print(*marks: str) -> bool:
    try:
        "".join(marks).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
