"""What stands in for a queue where none is configured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from xmirad.errors import BackendUnavailableError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import BoardEvent, QueueName


class NoQueue:
    """`Board` and `TaskQueue` that never answer: maps come from what is kept already, and from methods without windows.

    Every method raises BackendUnavailableError.
    """

    def announce(self, explanation: str, fields: Mapping[str, object], *, once: str = "") -> None:
        """Refuse."""
        self._refuse()

    def events(self, explanation: str, *, after: str) -> Sequence[BoardEvent]:
        """Refuse."""
        self._refuse()

    def count(self, name: str, amount: int = 1) -> None:
        """Refuse."""
        self._refuse()

    def counters(self) -> Mapping[str, int]:
        """Refuse."""
        self._refuse()

    def fill(self, entry: OcclusionEntry, chunks: Iterable[int], *, queue: QueueName) -> int:
        """Refuse."""
        self._refuse()

    def assess(self, explanation: str, *, attempt: int) -> None:
        """Refuse."""
        self._refuse()

    def waiting(self, queue: QueueName) -> int:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        message = "this service has no explanation queue: start `xmirad up`, or set queue.url"
        raise BackendUnavailableError(message, metadata={"backend": "queue"})
