"""The board and the queue of explanations in memory, for tests: both can be emptied and taken away at any time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from xmirad.errors import BackendUnavailableError, QueueFullError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import BoardEvent, QueueName


class Breakable:
    """Something that can be out of reach."""

    def __init__(self) -> None:
        self.is_down = False

    def check(self) -> None:
        if self.is_down:
            raise BackendUnavailableError("the explanation queue is not available", metadata={"backend": "queue"})


class FakeBoard(Breakable):
    """`Board` in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Lose everything."""
        self.streams: dict[str, list[BoardEvent]] = defaultdict(list)
        self.said: set[tuple[str, str]] = set()
        self.counted: Counter[str] = Counter()

    def announce(self, explanation: str, fields: Mapping[str, object], *, once: str = "") -> None:
        self.check()
        if once and (explanation, once) in self.said:
            return
        self.said.add((explanation, once))
        stream = self.streams[explanation]
        stream.append(BoardEvent(f"{len(stream) + 1}-0", dict(fields)))

    def events(self, explanation: str, *, after: str) -> Sequence[BoardEvent]:
        self.check()
        last = int(after.split("-")[0]) if after else 0
        return [event for event in self.streams[explanation] if int(event.token.split("-")[0]) > last]

    def count(self, name: str, amount: int = 1) -> None:
        self.check()
        self.counted[name] += amount

    def counters(self) -> Mapping[str, int]:
        self.check()
        return dict(self.counted)


class FakeQueue(Breakable):
    """`TaskQueue` in memory."""

    def __init__(self, *, max_waiting: int = 1_000) -> None:
        super().__init__()
        self.max_waiting = max_waiting
        self.clear()

    def clear(self) -> None:
        """Lose everything."""
        self.tasks: dict[tuple[QueueName, str, int], OcclusionEntry] = {}
        self.assessments: list[tuple[str, int]] = []

    def fill(self, entry: OcclusionEntry, chunks: Iterable[int], *, queue: QueueName) -> int:
        self.check()
        tasks = {(queue, entry.location, chunk): entry for chunk in chunks}
        new = {key: entry for key, entry in tasks.items() if key not in self.tasks}
        if new and self.waiting(queue) + len(new) > self.max_waiting:
            raise QueueFullError("the queue is full", retry_delay_seconds=1.0)
        self.tasks.update(new)
        return len(new)

    def assess(self, explanation: str, *, attempt: int) -> None:
        self.check()
        if (explanation, attempt) not in self.assessments:
            self.assessments.append((explanation, attempt))

    def waiting(self, queue: QueueName) -> int:
        self.check()
        return sum(where is queue for where, _, _ in self.tasks)

    def take(self) -> tuple[OcclusionEntry, int, QueueName] | None:
        """Return the next task, interactive ones first, or None."""
        for queue, location, chunk in sorted(self.tasks, key=lambda task: task[0]):
            return self.tasks.pop((queue, location, chunk)), chunk, queue
        return None
