"""How often a task was tried, and the tasks that were given up."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery

from xmirad.errors import InvalidRequestError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName
from xmirad.queue.connection import PREFIX, Server, available
from xmirad.queue.messages import publish
from xmirad.queue.payloads import FILL, INDEX, FillTask

ATTEMPTS_SECONDS = 3_600
_ATTEMPTS = f"{PREFIX}attempts:"
DEAD_LETTERS = f"{PREFIX}dead"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A task that was given up.

    Attributes:
        key: What work it was.
        task: Name of the task.
        payload: What it carried.
        reason: Why it was given up, a stable word.
        attempts: How often it was tried.
        time: When it was given up, in seconds since 1970.
    """

    key: str
    task: str
    payload: Mapping[str, Any]
    reason: str
    attempts: int
    time: float

    @property
    def is_of_import(self) -> bool:
        """Whether it is a step of an import, which has failed for good with it."""
        return self.task == INDEX


class Attempts:
    """Counts attempts, also those that took their worker with them."""

    def __init__(self, server: Server) -> None:
        """Count on a server."""
        self._server = server

    def begin(self, key: str) -> int:
        """Count an attempt and return which it is, from 1.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            number = int(self._server.incr(_ATTEMPTS + key))
            self._server.expire(_ATTEMPTS + key, ATTEMPTS_SECONDS)
        return number

    def clear(self, *keys: str) -> None:
        """Forget the attempts at work that is done or given up.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            self._server.delete(*(_ATTEMPTS + key for key in keys))


class DeadLetters:
    """Tasks that were given up: to look at, to try again, to throw away."""

    def __init__(self, server: Server, app: Celery) -> None:
        """Keep them on a server; `app` publishes those that are tried again."""
        self._server = server
        self._app = app

    def add(self, key: str, *, task: str, payload: Mapping[str, Any], reason: str, attempts: int) -> None:
        """Give a task up.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        letter = {"task": task, "payload": dict(payload), "reason": reason, "attempts": attempts, "time": time.time()}
        with available():
            self._server.hset(DEAD_LETTERS, key, json.dumps(letter))

    def list(self) -> list[DeadLetter]:
        """Return all, oldest first.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            found = self._server.hgetall(DEAD_LETTERS)
        letters = [DeadLetter(key, **json.loads(text)) for key, text in found.items()]
        return sorted(letters, key=lambda letter: letter.time)

    def requeue(self, key: str, *, want: Callable[[OcclusionEntry], object]) -> bool:
        """Try a task again, in the background; False if it is not here.

        Its explanations have failed and wait no more, so a chunk is filled as warming would fill it.

        Args:
            key: What the task is called.
            want: Notes that a cache entry is to be computed ahead.

        Raises:
            InvalidRequestError: If it is a step of an import.
            BackendUnavailableError: If the server cannot be reached.
        """
        letter = next((letter for letter in self.list() if letter.key == key), None)
        if letter is None:
            return False
        if letter.is_of_import:
            message = f"the import of {key} has failed for good: begin a new import, which skips what is stored"
            raise InvalidRequestError(message, field="keys", metadata={"key": key})
        payload = dict(letter.payload)
        if letter.task == FILL:
            payload["queue"] = QueueName.BACKGROUND.value
            want(FillTask.from_document(payload).entry)
        with available():
            self._server.delete(_ATTEMPTS + key)
            publish(self._app, letter.task, payload, queue=QueueName.BACKGROUND)
            self._server.hdel(DEAD_LETTERS, key)
        return True

    def purge(self, key: str | None = None) -> int:
        """Throw one away, or all, and return how many.

        Raises:
            BackendUnavailableError: If the server cannot be reached.
        """
        with available():
            keys = [key] if key is not None else list(self._server.hkeys(DEAD_LETTERS))
            return int(self._server.hdel(DEAD_LETTERS, *keys)) if keys else 0
