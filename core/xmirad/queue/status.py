"""How the queue is doing, in figures."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.explanations.ports import QueueName
from xmirad.queue.connection import Server, available
from xmirad.queue.dead_letters import DEAD_LETTERS
from xmirad.queue.task_queue import PUBLISHED

TAKEN = "unacked"
"""Where Celery keeps what workers have taken and not finished."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """Figures of one moment.

    Attributes:
        waiting: Tasks that wait, by queue.
        taken: Tasks that workers have taken and not finished.
        oldest_seconds: How long the oldest of the waiting tasks has waited; None if none waits or it does not say.
        dead_letters: Tasks that were given up.
    """

    waiting: Mapping[str, int]
    taken: int
    oldest_seconds: float | None
    dead_letters: int


def queue_status(server: Server) -> QueueStatus:
    """Return the figures of now.

    Raises:
        BackendUnavailableError: If the server cannot be reached.
    """
    with available():
        waiting = {queue.name.lower(): int(server.llen(queue)) for queue in QueueName}
        oldest = [_published(message) for queue in QueueName if (message := server.lindex(queue, -1))]
        taken, dead = int(server.hlen(TAKEN)), int(server.hlen(DEAD_LETTERS))
    known = [published for published in oldest if published is not None]
    return QueueStatus(waiting, taken, max(0.0, time.time() - min(known)) if known else None, dead)


def _published(message: str) -> float | None:
    published = json.loads(message)["headers"].get(PUBLISHED)
    return None if published is None else float(published)
