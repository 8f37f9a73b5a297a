"""What waits on a real Valkey waits once, for as long as it takes, and only what is new needs room."""

import json
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from support.entries import ENTRY
from support.valkey import ValkeyServer, valkey_server
from xmirad.errors import BackendUnavailableError, QueueFullError
from xmirad.explanations.ports import EXPLANATION_QUEUES, QueueName
from xmirad.queue.app import celery_app
from xmirad.queue.connection import Server
from xmirad.queue.import_queue import PUBLISHING_SECONDS, RedisImportQueue
from xmirad.queue.payloads import FillTask, ImportTask
from xmirad.queue.status import TAKEN, queue_status
from xmirad.queue.task_queue import RedisTaskQueue
from xmirad.settings import QueueSettings

LOST_SECONDS = 0.1
ROOM = 3


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("claims")) as server:
        yield server


@pytest.fixture
def server(running: ValkeyServer) -> ValkeyServer:
    running.connect().flushall()
    return running


@pytest.fixture
def app(server: ValkeyServer) -> Celery:
    return celery_app(server.url, QueueSettings())


@pytest.fixture
def queue(server: ValkeyServer, app: Celery) -> RedisTaskQueue:
    return RedisTaskQueue(app, server.connect(), max_waiting=ROOM)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmirad.queue.claims.LOST_SECONDS", LOST_SECONDS)


def test_a_full_queue_takes_what_waits_already_and_nothing_new(queue: RedisTaskQueue) -> None:
    assert queue.fill(ENTRY, range(ROOM), queue=QueueName.INTERACTIVE) == ROOM
    assert queue.fill(ENTRY, range(ROOM), queue=QueueName.INTERACTIVE) == 0
    with pytest.raises(QueueFullError) as caught:
        queue.fill(ENTRY, range(ROOM + 1), queue=QueueName.INTERACTIVE)
    assert caught.value.metadata == {"waiting": str(ROOM), "limit": str(ROOM)}
    assert queue.waiting(QueueName.INTERACTIVE) == ROOM


def test_what_was_refused_may_be_asked_for_again(queue: RedisTaskQueue, server: ValkeyServer) -> None:
    with pytest.raises(QueueFullError):
        queue.fill(ENTRY, range(ROOM + 1), queue=QueueName.INTERACTIVE)
    assert queue.fill(ENTRY, range(ROOM), queue=QueueName.INTERACTIVE) == ROOM


def test_a_full_background_keeps_no_reader_waiting(queue: RedisTaskQueue) -> None:
    queue.fill(ENTRY, range(ROOM), queue=QueueName.BACKGROUND)
    assert queue.fill(ENTRY, range(ROOM), queue=QueueName.INTERACTIVE) == ROOM


def test_two_who_ask_at_once_do_not_overfill_the_queue(queue: RedisTaskQueue) -> None:
    counted: list[int] = []

    def ask(first: int) -> None:
        try:
            counted.append(queue.fill(ENTRY, range(first, first + 2), queue=QueueName.INTERACTIVE))
        except QueueFullError:
            counted.append(0)

    threads = [threading.Thread(target=ask, args=(2 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counted) == queue.waiting(QueueName.INTERACTIVE) == 2


@pytest.mark.usefixtures("impatient")
def test_what_waits_for_long_is_not_published_again(queue: RedisTaskQueue) -> None:
    queue.fill(ENTRY, [0, 1], queue=QueueName.INTERACTIVE)
    queue.assess("f" * 64, attempt=1)
    for _ in range(3):
        time.sleep(2 * LOST_SECONDS)
        queue.assess("f" * 64, attempt=1)
        assert queue.fill(ENTRY, [0, 1], queue=QueueName.INTERACTIVE) == 0
    assert queue.waiting(QueueName.INTERACTIVE) == 2
    assert queue.waiting(QueueName.FIDELITY) == 1


@pytest.mark.usefixtures("impatient")
def test_what_a_worker_has_taken_is_not_published_again(queue: RedisTaskQueue, server: ValkeyServer) -> None:
    queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE)
    connection = server.connect()
    message = json.loads(connection.rpop(QueueName.INTERACTIVE))
    connection.hset(TAKEN, "tag", json.dumps([message, "", QueueName.INTERACTIVE]))
    time.sleep(2 * LOST_SECONDS)
    assert queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE) == 0


@pytest.mark.usefixtures("impatient")
def test_what_is_lost_is_published_again_though_younger_tasks_wait(queue: RedisTaskQueue, server: ValkeyServer) -> None:
    queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE)
    server.connect().delete(QueueName.INTERACTIVE)
    time.sleep(2 * LOST_SECONDS)
    queue.fill(ENTRY, [1], queue=QueueName.INTERACTIVE)
    assert queue.fill(ENTRY, [0, 1], queue=QueueName.INTERACTIVE) == 1


def test_a_task_that_is_done_may_be_published_again(queue: RedisTaskQueue) -> None:
    queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE)
    queue.release(QueueName.INTERACTIVE, FillTask(ENTRY, 0, QueueName.INTERACTIVE).key)
    assert queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE) == 1


def test_a_task_that_could_not_be_published_is_not_taken_for_one_that_waits(
    queue: RedisTaskQueue, app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(app, "send_task", fails)
        with pytest.raises((ConnectionError, BackendUnavailableError)):
            queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE)
    assert queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE) == 1


@pytest.fixture
def imports(server: ValkeyServer, app: Celery) -> RedisImportQueue:
    return RedisImportQueue(app, server.connect())


def fail_to_publish(imports: RedisImportQueue, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(app, "send_task", fails)
        with pytest.raises(BackendUnavailableError):
            imports.publish_task(ImportTask("chest", "c" * 32, 1, None))


def test_an_import_that_could_not_be_published_is_published_by_the_next_sweep(
    imports: RedisImportQueue, app: Celery, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_publish(imports, app, monkeypatch)
    for _ in range(2):
        imports.publish_task(ImportTask("chest", "c" * 32, 1, None))
    assert server.connect().llen(QueueName.INDEX) == 1


def test_an_import_whose_publisher_died_does_not_wait_for_a_lost_task(
    imports: RedisImportQueue, app: Celery, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = server.connect()
    monkeypatch.setattr(imports, "_server", Undeletable(connection))
    fail_to_publish(imports, app, monkeypatch)
    (left,) = connection.keys("xmirad:waiting:*")
    assert 0 < connection.ttl(left) <= PUBLISHING_SECONDS

    connection.delete(left)
    imports.publish_task(ImportTask("chest", "c" * 32, 1, None))
    assert connection.ttl(left) > PUBLISHING_SECONDS


class Undeletable:
    """A connection that breaks when a key is to be deleted."""

    def __init__(self, connection: Server) -> None:
        self._connection = connection

    def delete(self, *_: str) -> None:
        raise redis.ConnectionError

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_flushed_queue_knows_of_nothing_that_waits(queue: RedisTaskQueue, server: ValkeyServer) -> None:
    queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE)
    server.connect().flushall()
    assert queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE) == 1


def test_fidelity_comes_behind_readers_and_before_what_is_computed_ahead(
    queue: RedisTaskQueue, server: ValkeyServer
) -> None:
    queue.fill(ENTRY, [0], queue=QueueName.BACKGROUND)
    queue.assess("f" * 64, attempt=1)
    assert list(EXPLANATION_QUEUES) == sorted(EXPLANATION_QUEUES)
    depths = {name: depth.waiting for name, depth in queue_status(server.connect()).queues.items()}
    assert depths == {"interactive": 0, "fidelity": 1, "background": 1, "index": 0}


def test_the_background_is_known_by_the_name_it_had_before() -> None:
    assert QueueName("explain.1.background") is QueueName.BACKGROUND
