"""What a worker does with a task. Every task may come twice, and any may take its worker with it."""

import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from xmirad.errors import BackendUnavailableError, ImportNotFoundError, InternalError, OverloadedError
from xmirad.queue.payloads import INDEX, ImportTask
from xmirad.queue.task_figures import Ended, TaskOutcome
from xmirad.types import ImportState
from xmirad_indexer.parts import Parts

LOST = "WORKER_LOST"
_log = logging.getLogger(__name__)


def index(parts: Parts, document: dict[str, Any]) -> Ended:
    """Do a step of an import, unless another worker is at it, and publish what comes after it.

    An attempt is counted before the work and taken back after it: what remains are those that ended the process.

    Raises:
        BackendUnavailableError: If a store or the queue fails. The attempt does not count; the sweep
            publishes it again.
    """
    task = ImportTask.from_document(document)
    if not parts.queue.take(task, seconds=parts.task_seconds):
        return Ended(TaskOutcome.NOT_WANTED)
    try:
        ended, further = _step(parts, task, document)
    finally:
        parts.queue.put_down(task)
    for segment in further:  # not before: whoever takes it must find that nobody is at it
        parts.queue.publish_task(replace(task, segment=segment))
    return ended


def _step(parts: Parts, task: ImportTask, document: dict[str, Any]) -> tuple[Ended, list[int | None]]:
    attempt, outcome = parts.attempts.begin(task.key), TaskOutcome.DONE
    further: list[int | None] = []
    if attempt > parts.most_attempts:
        _give_up(parts, task, document, attempt - 1)
        outcome = TaskOutcome.GIVEN_UP
    else:
        try:
            further += parts.advance(task)
        except SoftTimeLimitExceeded:
            _log.warning("import.out_of_time", extra={"attempt": attempt})
            return Ended(TaskOutcome.OUT_OF_TIME, attempt), [task.segment]
        except ImportNotFoundError:
            _log.info("import.not_needed")
            outcome = TaskOutcome.NOT_WANTED
        except (BackendUnavailableError, OverloadedError):
            parts.attempts.clear(task.key)  # it is not the images that fail
            raise
    parts.attempts.clear(task.key)
    return Ended(outcome, attempt), further


def _give_up(parts: Parts, task: ImportTask, document: dict[str, Any], attempts: int) -> None:
    _log.warning("import.given_up", extra={"attempts": attempts})
    parts.dead_letters.add(task.key, task=INDEX, payload=document, reason=LOST, attempts=attempts)
    error = InternalError(
        f"a step of it ended its worker {attempts} times", metadata={"attempts": str(attempts), "cause": LOST}
    )
    imports = parts.imports()
    with suppress(ImportNotFoundError):  # its archive was deleted
        imports.finish(imports.current(task.creation, task.number).request, ImportState.FAILED, error)
