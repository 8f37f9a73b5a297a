"""Named places at which a process kills itself, so that crash tests can stop it at the worst moment."""

import os
import signal
from enum import StrEnum


class FailpointName(StrEnum):
    """Places in the order in which an item passes them; in filling a chunk; any statement that changes the catalog."""

    AFTER_BLOB = "after_blob"
    AFTER_RECORD = "after_record"
    AFTER_UPSERT = "after_upsert"
    AFTER_ACKNOWLEDGMENT = "after_acknowledgment"
    IN_FILL = "in_fill"
    AFTER_STATEMENT = "after_statement"


class Failpoint:
    """Kills the process with SIGKILL when a named place is reached for the n-th time."""

    def __init__(self, spec: str = "") -> None:
        """Arm it.

        Args:
            spec: `name` or `name:n`, such as `after_record:25`; empty means never.

        Raises:
            ValueError: If the name is unknown or n is no positive number.
        """
        name, _, count = spec.partition(":")
        self._name = FailpointName(name) if name else None
        self._remaining = int(count or 1)
        if self._remaining < 1:
            raise ValueError("a failpoint's count must be at least 1")

    def is_armed(self, name: FailpointName) -> bool:
        """Return whether the process is to die at a place."""
        return name is self._name

    def reach(self, name: FailpointName) -> None:
        """Say that a place is reached."""
        if name is not self._name:
            return
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
