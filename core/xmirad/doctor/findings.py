"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part.

    Attributes:
        name: The part, such as `broker` or `archive chest`.
        state: How it is.
        found: What was found. Holds no secret.
        remedy: What helps; empty where nothing needs to be done.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Finding:
    """Return that a part is as it should be."""
    return Finding(name, State.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return that a part works, but not as it should or not for long."""
    return Finding(name, State.WARNING, found, remedy)


def failed(name: str, found: str, remedy: str) -> Finding:
    """Return that a part does not work."""
    return Finding(name, State.FAILED, found, remedy)


def skipped(name: str, why: str) -> Finding:
    """Return that a part was not looked at."""
    return Finding(name, State.SKIPPED, why)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings.

    Attributes:
        findings: In the order of the checks.
        seconds: How long it took.
        is_complete: Whether every check ended; one that hangs still occupies a thread.
    """

    findings: tuple[Finding, ...]
    seconds: float
    is_complete: bool

    @property
    def healthy(self) -> bool:
        """Whether nothing failed."""
        return all(finding.state is not State.FAILED for finding in self.findings)
