"""Has a Celery worker give signs of life from the loop that takes tasks from the broker.

A file that is fresh therefore proves that the parent lives, that its loop turns, and that it is connected.
"""

from pathlib import Path

from celery.signals import heartbeat_sent, worker_shutting_down

from xmirad.heartbeat import beat


def keep_heartbeat(file: Path) -> None:
    """Have the worker of this process write a file every two seconds while it can take tasks."""

    def give_sign(**_: object) -> None:
        beat(file)

    def end(**_: object) -> None:
        file.unlink(missing_ok=True)

    heartbeat_sent.connect(give_sign, weak=False)
    worker_shutting_down.connect(end, weak=False)
