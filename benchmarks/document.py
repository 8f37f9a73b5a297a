"""Figures as JSON: suites measured at different times share a file, each with its own circumstances."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.machine import Machine
from xmirad.errors import InvalidRequestError

DIGITS = 5
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """A suite's figures and their circumstances.

    Attributes:
        figures: What was measured.
        seconds: How long that took.
        company: Share of the machine that other processes used meanwhile, 0 to 1.
        forward_ms: The calibration: milliseconds of one forward, just before.
        quick: Whether it did just enough to see that everything works.
    """

    figures: Sequence[Figure]
    seconds: float
    company: float
    forward_ms: float
    quick: bool


def record(file: Path, machine: Machine, suites: Mapping[str, Measured]) -> None:
    """Write suites to a file; what it holds of other suites stays if it was measured on such a machine.

    Raises:
        InvalidRequestError: If the file holds something else, or another machine's figures.
    """
    described = asdict(machine)
    document: dict[str, Any] = {"format": FORMAT, "machine": described, "suites": {}}
    if file.exists():
        document = read_document(file)
        require_machine(document, machine, file=file.name, field="json")
        document["machine"] = described
    document["suites"].update({name: _suite(measured) for name, measured in suites.items()})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def require_machine(document: Mapping[str, Any], machine: Machine, *, file: str, field: str) -> None:
    """Refuse figures of another model of processor or number of cores.

    Raises:
        InvalidRequestError: If the document was measured on such a machine.
    """
    theirs, ours = ((one["cpu"], one["cores"]) for one in (document["machine"], asdict(machine)))
    if theirs != ours:
        found, here = (f"{cpu} with {cores} cores" for cpu, cores in (theirs, ours))
        raise InvalidRequestError(f"{file} holds figures of another machine: {found}; this is {here}", field=field)


def read_document(file: Path) -> dict[str, Any]:
    """Read what `record` has written.

    Raises:
        InvalidRequestError: If it is not there or not of this format.
    """
    try:
        document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InvalidRequestError(f"there is no {file.name}: `make bench` writes one", field="json") from error
    if document.get("format") != FORMAT:
        raise InvalidRequestError(f"{file.name} is not of format {FORMAT}: measure again", field="json")
    return document


def _suite(measured: Measured) -> dict[str, Any]:
    return {
        "seconds": round(measured.seconds, 1),
        "company": round(measured.company, 3),
        "forward_ms": _short(measured.forward_ms),
        "quick": measured.quick,
        "figures": {figure.name: _data(figure) for figure in measured.figures},
    }


def _data(figure: Figure) -> dict[str, Any]:
    return {
        "unit": figure.unit,
        "value": _short(figure.value),
        "values": [_short(value) for value in figure.values],
        "baseline": figure.baseline,
        "baseline_value": _short(figure.baseline_value),
        "baseline_values": [_short(value) for value in figure.baseline_values],
        "ratio": _short(figure.ratio),
        "interval": figure.interval and [_short(end) for end in figure.interval],
        "better": figure.target.better,
        "target": figure.target.limit,
        "met": figure.is_met,
        "note": figure.note,
    }


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
