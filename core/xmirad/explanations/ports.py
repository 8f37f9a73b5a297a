"""What explanations need of a queue and of a short memory that all processes share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from xmirad.explanations.entries import OcclusionEntry


class QueueName(StrEnum):
    """Where tasks wait. An explainer empties the first, in the order of the names, before it looks at the second."""

    INTERACTIVE = "explain.0.interactive"
    FIDELITY = "explain.1.fidelity"
    """What finished maps are worth: someone may watch for it."""
    BACKGROUND = "explain.2.background"
    INDEX = "index"
    """Imports, for indexers alone."""

    @classmethod
    def _missing_(cls, value: object) -> "QueueName | None":
        """Read the name that BACKGROUND had before FIDELITY was there; stored requests may hold it."""
        return cls.BACKGROUND if value == "explain.1.background" else None


EXPLANATION_QUEUES = (QueueName.INTERACTIVE, QueueName.FIDELITY, QueueName.BACKGROUND)


@dataclass(frozen=True, slots=True)
class BoardEvent:
    """A message on an explanation's stream.

    Attributes:
        token: Where to go on reading after it.
        fields: What it says: small JSON values, never pixels.
    """

    token: str
    fields: Mapping[str, object]


class TaskQueue(Protocol):
    """Publishes tasks. What waits already on the same queue is not published again."""

    def fill(self, entry: OcclusionEntry, chunks: Iterable[int], *, queue: QueueName) -> int:
        """Have chunks of a cache entry computed.

        Returns:
            How many were not waiting already.

        Raises:
            QueueFullError: If this queue has no room for those that do not wait already; none is published then.
            BackendUnavailableError: If the queue cannot be reached.
        """
        ...

    def assess(self, explanation: str, *, attempt: int) -> None:
        """Have the fidelity of an explanation's maps computed, behind maps that someone waits for.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        ...

    def waiting(self, queue: QueueName) -> int:
        """Return how many tasks wait on a queue.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        ...


class Board(Protocol):
    """A short memory that may be lost at any time.

    Every method raises BackendUnavailableError if it cannot be reached.
    """

    def announce(self, explanation: str, fields: Mapping[str, object], *, once: str = "") -> None:
        """Add a message to an explanation's stream, which is capped and expires.

        Args:
            explanation: Its id.
            fields: JSON values.
            once: If given, messages of the same name after the first are dropped.
        """
        ...

    def events(self, explanation: str, *, after: str) -> Sequence[BoardEvent]:
        """Return the messages after a token at once; an empty token means from the beginning."""
        ...

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of all processes, such as `cache_hits`."""
        ...

    def counters(self) -> Mapping[str, int]:
        """Return all counters."""
        ...
