"""Runs the Celery worker: a parent that hands out tasks, and processes with decoders and a model each."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init

from xmirad.errors import BackendUnavailableError
from xmirad.explanations.ports import QueueName
from xmirad.home import Home
from xmirad.observability.logs import configure_logging
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.queue.heartbeat import keep_heartbeat
from xmirad.queue.messages import Delivery
from xmirad.queue.payloads import INDEX
from xmirad.queue.running import run_task
from xmirad.queue.worker_monitoring import configure_worker_logging, monitored
from xmirad.queue.workers import worker_name
from xmirad.settings import Settings
from xmirad.site_key import load_site_key
from xmirad.types import WorkerKind
from xmirad_indexer import tasks
from xmirad_indexer.parts import Parts

PROCESS = WorkerKind.INDEXER
NICENESS = 10
"""A search never waits for an import."""


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM.

    Raises:
        BackendUnavailableError: If no queue is known, or the metrics page cannot be served.
        InvalidRequestError: If time limits do not fit each other.
        SiteKeyMismatchError: If the site key is missing.
    """
    Home(settings.home).prepare()
    load_site_key(settings)  # says what is wrong before a process does
    url = queue_url(settings)
    if url is None:
        message = "there is no queue: set queue.url, or run `xmirad up`"
        raise BackendUnavailableError(message, field="queue.url", metadata={"backend": "queue"})
    app = celery_app(url, settings.queue)
    worker = Worker(settings, app, url)
    worker.add_tasks()
    worker.connect_signals()
    configure_logging(settings.logging)
    name = worker_name(PROCESS)
    command = [
        "worker",
        "--pool=prefork",
        f"--concurrency={settings.imports.processes}",
        f"--queues={QueueName.INDEX}",
        f"--hostname={name}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=WARNING",
    ]
    with monitored(settings, process=PROCESS, name=name, url=url):
        app.worker_main(command)


class Worker:
    """The task of this process, and the parts that each forked process makes for itself."""

    def __init__(self, settings: Settings, app: Celery, url: str) -> None:
        """Make nothing yet."""
        self._settings = settings
        self._app = app
        self._url = url
        self._parts: Parts | None = None

    def add_tasks(self) -> None:
        """Give the name of the queue's task a body."""

        def index(task: Any, **document: Any) -> None:  # noqa: ANN401 - Celery's own class, JSON
            parts = self._parts = self._parts or Parts(self._settings, self._app, self._url)
            delivery = Delivery.of(task.request)
            run_task(
                INDEX,
                QueueName.INDEX,
                lambda: tasks.index(parts, document),
                delivery=delivery,
                figures=parts.figures,
            )

        self._app.task(name=INDEX, bind=True)(index)

    def connect_signals(self) -> None:
        """Have the processes set up as they start."""
        setup_logging.connect(self._set_up_logging, weak=False)
        worker_process_init.connect(self._begin_process, weak=False)
        keep_heartbeat(Home(self._settings.home), PROCESS)

    def _set_up_logging(self, **_: object) -> None:
        configure_worker_logging(self._settings.logging)

    def _begin_process(self, **_: object) -> None:
        os.nice(NICENESS)
        self._parts = Parts(self._settings, self._app, self._url)
