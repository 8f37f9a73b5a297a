"""Named places at which a process kills itself, so that crash tests can stop it at the worst moment."""

import os
import signal
from enum import StrEnum


class FailpointName(StrEnum):
    """The places: those of storing an item in the order in which it passes them, and that of filling a chunk."""

    AFTER_BLOB = "after_blob"
    AFTER_RECORD = "after_record"
    AFTER_UPSERT = "after_upsert"
    AFTER_ACKNOWLEDGMENT = "after_acknowledgment"
    IN_FILL = "in_fill"


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

    def reach(self, name: FailpointName) -> None:
        """Say that a place is reached."""
        if name is not self._name:
            return
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
