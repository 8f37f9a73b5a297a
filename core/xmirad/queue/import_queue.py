"""Publishes tasks of imports to Celery, and keeps two workers from doing the same of them."""

from celery import Celery

from xmirad.explanations.ports import QueueName
from xmirad.imports.records import ImportRequest
from xmirad.queue.connection import PREFIX, Server, available
from xmirad.queue.messages import publish
from xmirad.queue.payloads import INDEX, ImportTask
from xmirad.queue.task_figures import TaskFigures

WAITING_SECONDS = 600
"""After so long a task counts as lost; it is published again."""
PUBLISHING_SECONDS = 60
"""After so long a publisher counts as dead; longer than the broker may take to answer."""


class RedisImportQueue:
    """`ImportQueue` on Celery. Safe to use from many threads."""

    def __init__(self, app: Celery, server: Server) -> None:
        """Publish with an application; `server` holds the same queue."""
        self._app = app
        self._server = server
        self._figures = TaskFigures(server)

    def publish(self, request: ImportRequest, segment: int | None) -> None:
        """Have some of an import done, unless that waits already; see `publish_task`."""
        self.publish_task(ImportTask(request.archive, request.creation, request.number, segment))

    def publish_task(self, task: ImportTask) -> None:
        """Publish a task unless it waits already.

        Raises:
            BackendUnavailableError: If the queue cannot be reached. The task may be published again then: at once, or
                after `PUBLISHING_SECONDS` if the server could not even be told that it does not wait.
        """
        with available():
            is_new = bool(self._server.set(_key("waiting", task), 1, nx=True, ex=PUBLISHING_SECONDS))
            if is_new:
                self._publish(task)
            self._figures.add_published(QueueName.INDEX, published=int(is_new), deduplicated=int(not is_new))

    def take(self, task: ImportTask, *, seconds: float) -> bool:
        """Say that a task does not wait any more, and take its work for so long; False if someone has it.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            self._server.delete(_key("waiting", task))
            return bool(self._server.set(_key("taken", task), 1, nx=True, px=int(seconds * 1_000)))

    def put_down(self, task: ImportTask) -> None:
        """Say that nobody is at the work of a task that was taken.

        Raises:
            BackendUnavailableError: If the queue cannot be reached.
        """
        with available():
            self._server.delete(_key("taken", task))

    def _publish(self, task: ImportTask) -> None:
        try:
            publish(self._app, INDEX, task.to_document(), queue=QueueName.INDEX)
        except BaseException:
            self._server.delete(_key("waiting", task))
            raise
        self._server.expire(_key("waiting", task), WAITING_SECONDS)


def _key(kind: str, task: ImportTask) -> str:
    return f"{PREFIX}{kind}:{QueueName.INDEX}:{task.key}"
