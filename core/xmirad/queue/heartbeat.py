"""Has a Celery worker give signs of life from the loop that takes tasks from the broker.

A file that is fresh therefore proves that the parent lives, that its loop turns, and that it is connected.
"""

from celery.signals import heartbeat_sent, worker_ready, worker_shutting_down

from xmirad.heartbeat import beat
from xmirad.home import Home


def keep_heartbeat(home: Home, worker: str) -> None:
    """Have the worker of this process write a file once it takes tasks, and another every two seconds while it can."""
    file = home.heartbeat(worker)

    def give_sign(**_: object) -> None:
        beat(file)

    def announce(**_: object) -> None:
        beat(home.worker_file(worker))

    def end(**_: object) -> None:
        file.unlink(missing_ok=True)

    worker_ready.connect(announce, weak=False)
    heartbeat_sent.connect(give_sign, weak=False)
    worker_shutting_down.connect(end, weak=False)
