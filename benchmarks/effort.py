"""What a piece of work with many windows or images costs, on the wall and on the processor."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """What some windows, or images, cost.

    Attributes:
        windows: How many masked copies, or images, were embedded.
        seconds: On the wall.
        cpu_seconds: Of all threads of the processes at work.
    """

    windows: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Windows, or images, per second."""
        return self.windows / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        """Processor time of one window, which suffers less from other processes than time on the wall does."""
        return 1_000 * self.cpu_seconds / self.windows

    def without(self, part: "Effort") -> "Effort":
        """Return this effort without a part of it, for the same windows."""
        return Effort(self.windows, self.seconds - part.seconds, self.cpu_seconds - part.cpu_seconds)

    def plus_share(self, other: "Effort") -> "Effort":
        """Return this effort with its share, by windows, of what is done once for all windows of another."""
        share = self.windows / other.windows
        return Effort(self.windows, self.seconds + share * other.seconds, self.cpu_seconds + share * other.cpu_seconds)


def effort_of(call: Callable[[], object], *, windows: int) -> Effort:
    """Return what a call costs in this process."""
    began, cpu_began = time.perf_counter(), time.process_time()
    call()
    return Effort(windows, time.perf_counter() - began, time.process_time() - cpu_began)
