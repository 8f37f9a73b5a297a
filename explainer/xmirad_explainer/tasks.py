"""What a worker does with a task. Every task may come twice, and any may take its worker with it."""

import logging
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, InternalError, XmiradError
from xmirad.explanations.ports import QueueName
from xmirad.failpoints import FailpointName
from xmirad.queue.payloads import FILL, AssessTask, FillTask
from xmirad.queue.task_figures import Ended, TaskOutcome
from xmirad_explainer.parts import Parts

LOST = "WORKER_LOST"
_log = logging.getLogger(__name__)


def fill(parts: Parts, document: dict[str, Any]) -> Ended:
    """Compute a chunk unless it is there or nobody wants it, and bring forward whatever waits for it.

    An attempt is counted before the work and taken back after it: what remains are those that ended the process.

    Raises:
        BackendUnavailableError: If a store or the queue fails. The attempt does not count.
    """
    task = FillTask.from_document(document)
    if not parts.board.is_wanted(task.entry.location):
        parts.queue.release(task.queue, task.key)
        # Who came in between was told that the task waits already.
        if not parts.board.is_wanted(task.entry.location):
            return Ended(TaskOutcome.NOT_WANTED)
    attempt = parts.attempts.begin(task.key)
    if attempt > parts.most_attempts:
        _give_up(parts, task, document, attempt - 1)
        return Ended(TaskOutcome.GIVEN_UP, attempt)
    outcome = TaskOutcome.DONE
    try:
        parts.failpoint.reach(FailpointName.IN_FILL)
        parts.filler.fill(task.entry, task.chunk)
        parts.completion.after_chunk(task.entry, task.chunk)
    except SoftTimeLimitExceeded:
        _log.warning("chunk.out_of_time")
        parts.queue.release(task.queue, task.key)
        parts.queue.fill(task.entry, [task.chunk], queue=task.queue)
        return Ended(TaskOutcome.OUT_OF_TIME, attempt)
    except BackendUnavailableError:
        parts.attempts.clear(task.key)  # it is not the image that fails
        parts.queue.release(task.queue, task.key)
        raise
    except XmiradError as error:
        _log.warning("chunk.failed", extra={"reason": error.reason})
        parts.completion.fail_entry(task.entry, error)
        outcome = TaskOutcome.FAILED
    parts.attempts.clear(task.key)
    parts.queue.release(task.queue, task.key)
    return Ended(outcome, attempt)


def assess(parts: Parts, document: dict[str, Any]) -> Ended:
    """Compute some of the fidelity of an explanation's maps.

    Raises:
        BackendUnavailableError: If a store or the queue fails. The attempt does not count.
    """
    task = AssessTask.from_document(document)
    parts.queue.release(QueueName.BACKGROUND, task.key)
    attempt = parts.attempts.begin(task.key)
    if attempt > parts.most_attempts:
        _log.warning("assessment.given_up")
        return Ended(TaskOutcome.GIVEN_UP, attempt)
    outcome = TaskOutcome.DONE
    try:
        parts.completion.assess(task.explanation, attempt=task.attempt)
    except SoftTimeLimitExceeded:
        _log.warning("assessment.out_of_time")  # what is computed is kept
        parts.queue.assess(task.explanation, attempt=task.attempt)
        return Ended(TaskOutcome.OUT_OF_TIME, attempt)
    except ExplanationNotFoundError:
        _log.info("assessment.not_needed")
        outcome = TaskOutcome.NOT_WANTED
    except BackendUnavailableError:
        parts.attempts.clear(task.key)
        raise
    except XmiradError as error:
        _log.warning("assessment.failed", extra={"reason": error.reason})
        return Ended(TaskOutcome.FAILED, attempt)
    parts.attempts.clear(task.key)
    return Ended(outcome, attempt)


def _give_up(parts: Parts, task: FillTask, document: dict[str, Any], attempts: int) -> None:
    parts.dead_letters.add(task.key, task=FILL, payload=document, reason=LOST, attempts=attempts)
    error = InternalError(
        f"computing it ended its worker {attempts} times", metadata={"attempts": str(attempts), "cause": LOST}
    )
    parts.completion.fail_entry(task.entry, error)
    # Whoever asks again begins anew with every chunk, also with those that were being computed just now.
    parts.attempts.clear(*(replace(task, chunk=chunk).key for chunk in range(len(task.entry.chunks))))
    parts.queue.release(task.queue, task.key)
