"""What surrounds every task: request id and trace of whoever asked for it, and its figures."""

import logging
import time
from collections.abc import Callable

from xmirad.errors import BackendUnavailableError
from xmirad.explanations.ports import QueueName
from xmirad.observability.logs import request_context
from xmirad.observability.tracing import SpanName, continued, span
from xmirad.queue.messages import Delivery
from xmirad.queue.task_figures import Ended, TaskFigures, TaskOutcome, TaskRun, queue_label, task_label

_log = logging.getLogger(__name__)


def run_task(
    name: str, queue: QueueName, work: Callable[[], Ended], *, delivery: Delivery, figures: TaskFigures
) -> None:
    """Carry a task out.

    Args:
        name: Its name in the queue.
        queue: Where it waited.
        work: What is to be done.
        delivery: How it came.
        figures: Where it is counted.

    Raises:
        BackendUnavailableError: If a store or the queue fails.
    """
    label = task_label(name)
    with (
        request_context(delivery.request_id),
        continued(delivery.carrier),
        span(SpanName(label), queue=queue_label(queue)),
    ):
        began, ended = time.perf_counter(), Ended(TaskOutcome.FAILED)
        try:
            ended = work()
        except BackendUnavailableError:
            ended = Ended(TaskOutcome.UNAVAILABLE)
            raise
        finally:
            seconds = time.perf_counter() - began
            run = TaskRun(
                task=label,
                queue=queue,
                delivery=delivery,
                outcome=ended.outcome,
                attempt=ended.attempt,
                seconds=seconds,
            )
            _count(figures, run)


def _count(figures: TaskFigures, run: TaskRun) -> None:
    _log.debug("task.ended", extra={"kind": run.task, "outcome": run.outcome, "duration_ms": run.seconds * 1_000})
    try:
        figures.add(run)
    except BackendUnavailableError as error:  # the work is done, counted or not
        _log.warning("task.not_counted", extra={"reason": error.reason})
