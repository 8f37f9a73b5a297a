"""Publishes tasks to Celery, each at most once at a time."""

from collections.abc import Iterable, Sequence

from celery import Celery

from xmirad.errors import QueueFullError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import EXPLANATION_QUEUES, QueueName
from xmirad.observability.tracing import SpanName, span
from xmirad.queue.connection import PREFIX, RETRY_SECONDS, Server, available
from xmirad.queue.messages import publish
from xmirad.queue.payloads import ASSESS, FILL, AssessTask, FillTask
from xmirad.queue.task_figures import TaskFigures, queue_label

WAITING_SECONDS = 600
"""After so long a task counts as lost; the sweeper publishes it again."""


class RedisTaskQueue:
    """`TaskQueue` on Celery. Safe to use from many threads."""

    def __init__(self, app: Celery, server: Server, *, max_waiting: int) -> None:
        """Publish with an application; `server` holds the same queues."""
        self._app = app
        self._server = server
        self._figures = TaskFigures(server)
        self._max_waiting = max_waiting

    def fill(self, entry: OcclusionEntry, chunks: Iterable[int], *, queue: QueueName) -> int:
        """Have chunks of a cache entry computed.

        Returns:
            How many were not waiting already.

        Raises:
            QueueFullError: If the queue has no room for them; none is published then.
            BackendUnavailableError: If the queue cannot be reached.
        """
        tasks = [FillTask(entry, chunk, queue) for chunk in chunks]
        with available(), span(SpanName.PUBLISH, queue=queue_label(queue), tasks=len(tasks)):
            self._check_room(len(tasks))
            new = self._claim(tasks)
            with self._app.producer_or_acquire() as producer:
                for task in new:
                    publish(self._app, FILL, task.to_document(), queue=queue, producer=producer)
            self._figures.add_published(queue, published=len(new), deduplicated=len(tasks) - len(new))
        return len(new)

    def assess(self, explanation: str, *, attempt: int) -> None:
        """Have the fidelity of an explanation's maps computed in the background.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        task, queue = AssessTask(explanation, attempt), QueueName.BACKGROUND
        with available():
            is_new = bool(self._server.set(_waiting_key(queue, task.key), 1, nx=True, ex=WAITING_SECONDS))
            if is_new:
                publish(self._app, ASSESS, task.to_document(), queue=queue)
            self._figures.add_published(queue, published=int(is_new), deduplicated=int(not is_new))

    def waiting(self) -> int:
        """Return how many tasks wait.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            return sum(int(self._server.llen(name)) for name in EXPLANATION_QUEUES)

    def release(self, queue: QueueName, key: str) -> None:
        """Say that a task does not wait any more, so that it may be published again.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            self._server.delete(_waiting_key(queue, key))

    def _check_room(self, count: int) -> None:
        waiting = self.waiting()
        if waiting + count <= self._max_waiting:
            return
        raise QueueFullError(
            f"{waiting} tasks wait already; {self._max_waiting} are allowed",
            metadata={"waiting": str(waiting), "limit": str(self._max_waiting)},
            retry_delay_seconds=RETRY_SECONDS,
        )

    def _claim(self, tasks: Sequence[FillTask]) -> list[FillTask]:
        with self._server.pipeline(transaction=False) as pipeline:
            for task in tasks:
                pipeline.set(_waiting_key(task.queue, task.key), 1, nx=True, ex=WAITING_SECONDS)
            claimed = pipeline.execute()
        return [task for task, is_new in zip(tasks, claimed, strict=True) if is_new]


def _waiting_key(queue: QueueName, key: str) -> str:
    return f"{PREFIX}waiting:{queue}:{key}"
