"""How the queue is doing, in figures."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.explanations.ports import QueueName
from xmirad.queue.connection import Server, available
from xmirad.queue.dead_letters import DEAD_LETTERS
from xmirad.queue.messages import PUBLISHED
from xmirad.queue.task_figures import queue_label
from xmirad.queue.workers import ALIVE_SCRIPT, ALIVE_SECONDS, WORKERS

TAKEN = "unacked"
"""Where Celery keeps what workers have taken and not finished."""
TAKEN_TIMES = "unacked_index"
"""Where Celery keeps when they took it."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What waits in one queue.

    Attributes:
        waiting: Tasks that wait.
        oldest_seconds: How long the oldest of them has waited; None if none waits or it does not say.
    """

    waiting: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """Figures of one moment. Ages compare this machine's clock with those of publishers and workers.

    Attributes:
        queues: What waits, by short name of the queue, the first to be emptied first.
        taken: Tasks that workers have taken and not finished.
        oldest_taken_seconds: How long ago the oldest of those was taken; None if there is none.
        dead_letters: Tasks that were given up.
        workers: Names of the workers that are alive.
    """

    queues: Mapping[str, QueueDepth]
    taken: int
    oldest_taken_seconds: float | None
    dead_letters: int
    workers: tuple[str, ...]

    @property
    def waiting(self) -> int:
        """Tasks that wait in any queue."""
        return sum(depth.waiting for depth in self.queues.values())


def queue_status(server: Server) -> QueueStatus:
    """Return the figures of now; one round trip to the server.

    Raises:
        BackendUnavailableError: If the server cannot be reached.
    """
    queues = sorted(QueueName)
    with available(), server.pipeline(transaction=False) as pipeline:
        for queue in queues:
            pipeline.llen(queue)
            pipeline.lindex(queue, -1)
        pipeline.hlen(TAKEN)
        pipeline.zrange(TAKEN_TIMES, 0, 0, withscores=True)
        pipeline.hlen(DEAD_LETTERS)
        pipeline.eval(ALIVE_SCRIPT, 1, WORKERS, str(ALIVE_SECONDS))
        *depths, taken, oldest, dead, workers = pipeline.execute()
    now = time.time()
    pairs = zip(queues, depths[::2], depths[1::2], strict=True)
    return QueueStatus(
        queues={queue_label(queue): QueueDepth(int(count), _age(message, now)) for queue, count, message in pairs},
        taken=int(taken),
        oldest_taken_seconds=max(0.0, now - float(oldest[0][1])) if oldest else None,
        dead_letters=int(dead),
        workers=tuple(sorted(workers)),
    )


def _age(message: str | None, now: float) -> float | None:
    published = json.loads(message)["headers"].get(PUBLISHED) if message else None
    return None if published is None else max(0.0, now - float(published))
