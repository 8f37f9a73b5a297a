"""Runs the Celery worker: a parent that hands out tasks, and processes of one model thread each."""

import os
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init

from xmirad.errors import BackendUnavailableError
from xmirad.explanations.ports import EXPLANATION_QUEUES, QueueName
from xmirad.home import Home
from xmirad.models.torch_embedder import require_torch, start_torch
from xmirad.observability.logs import configure_logging
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.queue.heartbeat import keep_heartbeat
from xmirad.queue.messages import Delivery
from xmirad.queue.payloads import ASSESS, FILL
from xmirad.queue.running import run_task
from xmirad.queue.task_figures import Ended
from xmirad.queue.worker_monitoring import configure_worker_logging, monitored
from xmirad.queue.workers import worker_name
from xmirad.settings import Settings
from xmirad.types import BackboneKind, WorkerKind
from xmirad_explainer import tasks
from xmirad_explainer.parts import Parts, make_parts

PROCESS = WorkerKind.EXPLAINER
NICENESS = 10
"""A search never waits for an explanation."""
MOST_MEMORY_KIB = 1_500_000


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM.

    Raises:
        BackendUnavailableError: If no queue is known, or the metrics page cannot be served.
        InvalidRequestError: If the queue's time limits do not fit each other.
    """
    url = queue_url(settings)
    if url is None:
        message = "there is no queue: set queue.url, or run `xmirad up`"
        raise BackendUnavailableError(message, field="queue.url", metadata={"backend": "queue"})
    app = celery_app(url, settings.queue)
    if settings.explanations.backbone is BackboneKind.TORCH:
        require_torch()
    else:
        app.conf.worker_max_memory_per_child = MOST_MEMORY_KIB  # torch alone may take more
    name = worker_name(PROCESS)
    worker = Worker(settings, app, url, name=name)
    worker.add_tasks()
    worker.connect_signals()
    command = [
        "worker",
        "--pool=prefork",
        f"--concurrency={settings.explanations.processes}",
        f"--queues={','.join(EXPLANATION_QUEUES)}",
        f"--hostname={name}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=WARNING",
    ]
    configure_logging(settings.logging)
    with monitored(settings, process=PROCESS, name=name, url=url):
        app.worker_main(command)


class Worker:
    """The tasks of this process, and the parts that each forked process makes for itself."""

    def __init__(self, settings: Settings, app: Celery, url: str, *, name: str) -> None:
        """Make nothing yet; all processes know the name of the worker."""
        self._settings = settings
        self._app = app
        self._url = url
        self._name = name
        self._parts: Parts | None = None

    def add_tasks(self) -> None:
        """Give the names of the queue's tasks a body."""

        def fill(task: Any, **document: Any) -> None:  # noqa: ANN401 - Celery's own class, JSON
            queue = QueueName(document["queue"])
            self._run(FILL, queue, lambda: tasks.fill(self._made_parts(), document), task)

        def assess(task: Any, **document: Any) -> None:  # noqa: ANN401 - Celery's own class, JSON
            self._run(ASSESS, QueueName.FIDELITY, lambda: tasks.assess(self._made_parts(), document), task)

        self._app.task(name=FILL, bind=True)(fill)
        self._app.task(name=ASSESS, bind=True)(assess)

    def connect_signals(self) -> None:
        """Have the processes set up as they start."""
        setup_logging.connect(self._set_up_logging, weak=False)
        worker_process_init.connect(self._begin_process, weak=False)
        keep_heartbeat(Home(self._settings.home), PROCESS)

    def _set_up_logging(self, **_: object) -> None:
        configure_worker_logging(self._settings.logging)

    def _begin_process(self, **_: object) -> None:
        os.nice(NICENESS)
        if self._settings.explanations.backbone is BackboneKind.TORCH:
            start_torch(self._settings.explanations.device)
        self._made_parts()

    def _run(self, name: str, queue: QueueName, work: Callable[[], Ended], task: Any) -> None:  # noqa: ANN401
        run_task(name, queue, work, delivery=Delivery.of(task.request), figures=self._made_parts().figures)

    def _made_parts(self) -> Parts:
        if self._parts is None:
            self._parts = make_parts(self._settings, self._app, self._url, parent=self._name)
            self._parts.worker.start()
        return self._parts
