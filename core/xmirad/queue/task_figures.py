"""What workers measure, added up on the queue's server.

A worker's processes come and go, and none of them has a metrics page, so each adds to one hash as it finishes a task.
The fields are made of names from closed sets only: it does not grow with use. Like any counter it begins anew when it
is lost, which Prometheus expects.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from xmirad.explanations.ports import QueueName
from xmirad.queue.connection import PREFIX, Server, available
from xmirad.queue.messages import Delivery

FIGURES = f"{PREFIX}figures"
WAIT_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
RUN_SECONDS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
MORE = "+Inf"
_JOINT = "|"


class Figure(StrEnum):
    """What is added up."""

    FINISHED = "finished"
    RETRIES = "retries"
    REDELIVERIES = "redeliveries"
    PUBLISHED = "published"
    DEDUPLICATED = "deduplicated"
    WAIT = "wait"
    RUN = "run"


class TaskOutcome(StrEnum):
    """How a task ended."""

    DONE = "done"
    NOT_WANTED = "not_wanted"
    FAILED = "failed"
    OUT_OF_TIME = "out_of_time"
    UNAVAILABLE = "unavailable"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task ended, and which attempt at its work it was."""

    outcome: TaskOutcome
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One run of a task.

    Attributes:
        task: Its short name, such as `fill`.
        queue: Where it waited.
        delivery: How it came.
        outcome: How it ended.
        attempt: Which attempt at the work it was, from 1.
        seconds: How long it took.
    """

    task: str
    queue: QueueName
    delivery: Delivery
    outcome: TaskOutcome
    attempt: int
    seconds: float


class TaskFigures:
    """Adds up on a server. Safe to use from many threads and processes."""

    def __init__(self, server: Server) -> None:
        """Add up on a server."""
        self._server = server

    def add(self, run: TaskRun) -> None:
        """Count a run.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        wait, queue = run.delivery.wait_seconds, queue_label(run.queue)
        counts = {figure_name(Figure.FINISHED, run.task, run.outcome): 1}
        counts[figure_name(Figure.RETRIES, run.task)] = int(run.attempt > 1)
        counts[figure_name(Figure.REDELIVERIES, run.task)] = int(run.delivery.is_redelivered)
        counts[bucket_name(Figure.RUN, run.task, run.seconds, RUN_SECONDS)] = 1
        sums = {sum_name(Figure.RUN, run.task): run.seconds}
        if wait is not None:
            counts[bucket_name(Figure.WAIT, queue, wait, WAIT_SECONDS)] = 1
            sums[sum_name(Figure.WAIT, queue)] = wait
        self._add(counts, sums)

    def add_published(self, queue: QueueName, *, published: int, deduplicated: int) -> None:
        """Count tasks that were published, and those that were not because they wait already.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        label = queue_label(queue)
        counts = {
            figure_name(Figure.PUBLISHED, label): published,
            figure_name(Figure.DEDUPLICATED, label): deduplicated,
        }
        self._add(counts, {})

    def _add(self, counts: Mapping[str, int], sums: Mapping[str, float]) -> None:
        with available(), self._server.pipeline(transaction=False) as pipeline:
            for name, count in counts.items():
                if count:
                    pipeline.hincrby(FIGURES, name, count)
            for name, seconds in sums.items():
                pipeline.hincrbyfloat(FIGURES, name, seconds)
            pipeline.execute()


def queue_label(queue: QueueName) -> str:
    """Return the short name of a queue, such as `interactive`."""
    return queue.name.lower()


def task_label(task: str) -> str:
    """Return the short name of a task, such as `fill`."""
    return task.rpartition(".")[2]


def figure_name(figure: Figure, *labels: str) -> str:
    """Return the field of a counter."""
    return _JOINT.join((figure, *labels))


def sum_name(figure: Figure, label: str) -> str:
    """Return the field of the sum of a histogram, in seconds."""
    return figure_name(figure, label, "sum")


def bucket_name(figure: Figure, label: str, seconds: float, bounds: tuple[float, ...]) -> str:
    """Return the field of the bucket of a histogram in which a value falls; it counts that bucket alone."""
    at = bisect_left(bounds, seconds)
    return figure_name(figure, label, f"{bounds[at]:g}" if at < len(bounds) else MORE)
