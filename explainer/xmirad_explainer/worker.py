"""Runs the Celery worker: a parent that hands out tasks, and processes of one model thread each."""

import json
import logging
import os
import socket
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_ready

from xmirad.errors import BackendUnavailableError
from xmirad.home import PRIVATE_FILE, Home
from xmirad.observability.logs import configure_logging
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.queue.payloads import ASSESS, FILL
from xmirad.settings import Settings
from xmirad_explainer import tasks
from xmirad_explainer.parts import Parts, make_parts

NICENESS = 10
"""A search never waits for an explanation."""
MOST_MEMORY_KIB = 1_500_000


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM.

    Raises:
        BackendUnavailableError: If no queue is known.
        InvalidRequestError: If the queue's time limits do not fit each other.
    """
    url = queue_url(settings)
    if url is None:
        message = "there is no queue: set queue.url, or run `xmirad up`"
        raise BackendUnavailableError(message, field="queue.url", metadata={"backend": "queue"})
    app = celery_app(url, settings.queue)
    app.conf.worker_max_memory_per_child = MOST_MEMORY_KIB
    worker = Worker(settings, app, url)
    worker.add_tasks()
    worker.connect_signals()
    app.worker_main(
        [
            "worker",
            "--pool=prefork",
            f"--concurrency={settings.explanations.processes}",
            f"--hostname=explainer-{os.getpid()}@{socket.gethostname()}",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=WARNING",
        ]
    )


class Worker:
    """The tasks of this process, and the parts that each forked process makes for itself."""

    def __init__(self, settings: Settings, app: Celery, url: str) -> None:
        """Make nothing yet."""
        self._settings = settings
        self._app = app
        self._url = url
        self._parts: Parts | None = None

    def add_tasks(self) -> None:
        """Give the names of the queue's tasks a body."""

        def fill(**document: Any) -> None:  # noqa: ANN401 - JSON
            tasks.fill(self._made_parts(), document)

        def assess(**document: Any) -> None:  # noqa: ANN401 - JSON
            tasks.assess(self._made_parts(), document)

        self._app.task(name=FILL)(fill)
        self._app.task(name=ASSESS)(assess)

    def connect_signals(self) -> None:
        """Have the processes set up as they start."""
        setup_logging.connect(self._set_up_logging, weak=False)
        worker_process_init.connect(self._begin_process, weak=False)
        worker_ready.connect(self._announce, weak=False)

    def _set_up_logging(self, **_: object) -> None:
        configure_logging(self._settings.logging)
        for library in ("celery", "kombu"):  # a line for every task, without what it was about
            logging.getLogger(library).setLevel(logging.WARNING)

    def _begin_process(self, **_: object) -> None:
        os.nice(NICENESS)
        self._parts = make_parts(self._settings, self._app, self._url)

    def _announce(self, **_: object) -> None:
        file = Home(self._settings.home).explainer_file
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"pid": os.getpid()}), "utf-8")
        temporary.chmod(PRIVATE_FILE)
        temporary.replace(file)

    def _made_parts(self) -> Parts:
        if self._parts is None:
            self._parts = make_parts(self._settings, self._app, self._url)
        return self._parts
