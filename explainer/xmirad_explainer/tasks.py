"""What a worker does with a task. Every task may come twice, and any may take its worker with it."""

import logging
from contextlib import suppress
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
BROKE = "WORKER_BROKE"
_log = logging.getLogger(__name__)


def fill(parts: Parts, document: dict[str, Any]) -> Ended:
    """Compute a chunk unless it is there or nobody wants it, and bring forward whatever waits for it.

    An attempt is counted before the work and taken back after it: what remains are those that ended the process.

    Raises:
        BackendUnavailableError: If a store or the queue fails. The attempt does not count.
    """
    task = FillTask.from_document(document)
    if not parts.cache.is_wanted(task.entry):
        parts.queue.release(task.queue, task.key)
        # Who came in between was told that the task waits already.
        if not parts.cache.is_wanted(task.entry):
            return Ended(TaskOutcome.NOT_WANTED)
    location = task.entry.location
    try:
        lost = parts.worker.begin(location)
    except BackendUnavailableError:
        parts.queue.release(task.queue, task.key)
        raise
    attempt = parts.attempts.begin(task.key)
    failed = max(lost, attempt - 1)
    try:
        if failed >= parts.most_attempts:
            if lost >= parts.most_attempts and not parts.worker.clear(location):
                parts.queue.release(task.queue, task.key)  # another process gives it up just now
                return Ended(TaskOutcome.NOT_WANTED, attempt)
            _give_up(parts, task, document, attempts=failed, cause=LOST)
            return Ended(TaskOutcome.GIVEN_UP, attempt)
        return Ended(_filled(parts, task, document, attempt), attempt)
    finally:
        parts.worker.end()


def _filled(parts: Parts, task: FillTask, document: dict[str, Any], attempt: int) -> TaskOutcome:
    """Compute a chunk, and say what came of it."""
    outcome = TaskOutcome.DONE
    try:
        parts.failpoint.reach(FailpointName.IN_FILL)
        parts.filler.fill(task.entry, task.chunk)
        parts.worker.clear(task.entry.location)
        # Before anybody hears of it: whoever finds the chunk damaged then may have it computed again.
        parts.queue.release(task.queue, task.key)
        parts.completion.after_chunk(task.entry, task.chunk)
    except SoftTimeLimitExceeded:
        _log.warning("chunk.out_of_time")
        _try_again(parts, task)
        return TaskOutcome.OUT_OF_TIME
    except BackendUnavailableError:
        parts.attempts.clear(task.key)  # it is not the image that fails
        parts.queue.release(task.queue, task.key)
        raise
    except XmiradError as error:
        _log.warning("chunk.failed", extra={"reason": error.reason})
        parts.completion.fail_entry(task.entry, error)
        parts.warmer.give_up(task.entry, error.reason)
        outcome = TaskOutcome.FAILED
    except Exception:  # noqa: BLE001 - whatever a network can raise; tried again, then given up
        _log.exception("chunk.broke")
        if attempt < parts.most_attempts:
            _try_again(parts, task)
        else:
            _give_up(parts, task, document, attempts=attempt, cause=BROKE)
        return TaskOutcome.FAILED
    parts.attempts.clear(task.key)
    parts.queue.release(task.queue, task.key)
    if task.queue is QueueName.BACKGROUND:
        parts.warmer.feed()
    return outcome


def assess(parts: Parts, document: dict[str, Any]) -> Ended:
    """Compute some of the fidelity of an explanation's maps.

    Raises:
        BackendUnavailableError: If a store or the queue fails. The attempt does not count.
    """
    task = AssessTask.from_document(document)
    parts.queue.release(QueueName.FIDELITY, task.key)
    attempt = parts.attempts.begin(task.key)
    if attempt > parts.most_attempts:
        _log.warning("assessment.given_up")
        parts.attempts.clear(task.key)
        with suppress(ExplanationNotFoundError):
            parts.completion.leave_unassessed(task.explanation, attempt=task.attempt, reason=LOST)
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
        outcome = TaskOutcome.FAILED
    parts.attempts.clear(task.key)
    return Ended(outcome, attempt)


def _try_again(parts: Parts, task: FillTask) -> None:
    """Publish a task once more; its attempt stays counted."""
    parts.queue.release(task.queue, task.key)
    parts.queue.fill(task.entry, [task.chunk], queue=task.queue)


def _give_up(parts: Parts, task: FillTask, document: dict[str, Any], *, attempts: int, cause: str) -> None:
    """Give up a whole entry: what one chunk does to a worker, the others do too."""
    parts.dead_letters.add(task.key, task=FILL, payload=document, reason=cause, attempts=attempts)
    error = InternalError(
        f"computing it failed or ended its worker {attempts} times",
        metadata={"attempts": str(attempts), "cause": cause},
    )
    parts.completion.fail_entry(task.entry, error)
    parts.warmer.give_up(task.entry, cause)
    # Whoever asks again begins anew with every chunk, also with those that were being computed just now.
    parts.worker.clear(task.entry.location)
    parts.attempts.clear(*(replace(task, chunk=chunk).key for chunk in range(len(task.entry.chunks))))
    parts.queue.release(task.queue, task.key)
