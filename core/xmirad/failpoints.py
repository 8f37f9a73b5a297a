"""Named places at which a process kills itself, so that crash tests can stop it at the worst moment."""

import os
import signal
from enum import StrEnum
from pathlib import Path


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
            spec: `name` or `name:n`, such as `after_record:25`; empty means never. With `@FILE` behind it nothing
                counts before the file is there, as what a process does while it starts.

        Raises:
            ValueError: If the name is unknown or n is no positive number.
        """
        place, _, file = spec.partition("@")
        name, _, count = place.partition(":")
        self._file = Path(file) if file else None
        self._name = FailpointName(name) if name else None
        self._remaining = int(count or 1)
        if self._remaining < 1:
            raise ValueError("a failpoint's count must be at least 1")

    def is_armed(self, name: FailpointName) -> bool:
        """Return whether the process is to die at a place."""
        return name is self._name

    def reach(self, name: FailpointName) -> None:
        """Say that a place is reached."""
        if name is not self._name or (self._file is not None and not self._file.exists()):
            return
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
