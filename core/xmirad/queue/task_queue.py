"""Publishes tasks to Celery, each at most once at a time."""

from collections.abc import Iterable, Sequence

from celery import Celery

from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName
from xmirad.observability.tracing import SpanName, span
from xmirad.queue.claims import Claims
from xmirad.queue.connection import Server, available
from xmirad.queue.messages import publish
from xmirad.queue.payloads import ASSESS, FILL, AssessTask, FillTask
from xmirad.queue.task_figures import TaskFigures, queue_label

UNLIMITED = 1 << 53


class RedisTaskQueue:
    """`TaskQueue` on Celery. Safe to use from many threads."""

    def __init__(self, app: Celery, server: Server, *, max_waiting: int) -> None:
        """Publish with an application; `server` holds the same queues, each of at most `max_waiting` chunks."""
        self._app = app
        self._server = server
        self._claims = Claims(server)
        self._figures = TaskFigures(server)
        self._max_waiting = max_waiting

    def fill(self, entry: OcclusionEntry, chunks: Iterable[int], *, queue: QueueName) -> int:
        """Have chunks of a cache entry computed.

        Returns:
            How many were not waiting already.

        Raises:
            QueueFullError: If this queue has no room for those that do not wait already; none is published then.
            BackendUnavailableError: If the queue cannot be reached.
        """
        tasks = [FillTask(entry, chunk, queue) for chunk in dict.fromkeys(chunks)]
        with available(), span(SpanName.PUBLISH, queue=queue_label(queue), tasks=len(tasks)):
            return self._publish(FILL, tasks, queue=queue, limit=self._max_waiting)

    def assess(self, explanation: str, *, attempt: int) -> None:
        """Have the fidelity of an explanation's maps computed, behind maps that someone waits for.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            self._publish(ASSESS, [AssessTask(explanation, attempt)], queue=QueueName.FIDELITY, limit=UNLIMITED)

    def waiting(self, queue: QueueName) -> int:
        """Return how many tasks wait on a queue.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            return int(self._server.llen(queue))

    def release(self, queue: QueueName, key: str) -> None:
        """Say that a task does not wait any more, so that it may be published again.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            self._claims.give_back(queue, [key])

    def _publish(self, name: str, tasks: Sequence[FillTask | AssessTask], *, queue: QueueName, limit: int) -> int:
        claimed = self._claims.take(queue, [task.key for task in tasks], limit=limit)
        new = [task for number, task in enumerate(tasks) if number in claimed]
        published = 0
        try:
            with self._app.producer_or_acquire() as producer:
                for task in new:
                    publish(self._app, name, task.to_document(), queue=queue, producer=producer)
                    published += 1
        finally:
            self._claims.give_back(queue, [task.key for task in new[published:]])
        self._figures.add_published(queue, published=len(new), deduplicated=len(tasks) - len(new))
        return len(new)
