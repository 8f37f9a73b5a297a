"""What the queue tells of itself, on a real Valkey."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from support.entries import ENTRY
from support.valkey import ValkeyServer, valkey_server
from xmirad.explanations.ports import QueueName
from xmirad.queue.app import celery_app
from xmirad.queue.board import RedisBoard
from xmirad.queue.collector import QueueCollector
from xmirad.queue.connection import connect_impatiently
from xmirad.queue.dead_letters import DeadLetters
from xmirad.queue.messages import Delivery
from xmirad.queue.payloads import FILL
from xmirad.queue.status import TAKEN, TAKEN_TIMES, queue_status
from xmirad.queue.task_figures import FIGURES, TaskFigures, TaskOutcome, TaskRun
from xmirad.queue.task_queue import RedisTaskQueue
from xmirad.queue.workers import WORKERS, WorkerRoll
from xmirad.settings import QueueSettings

SCRAPE_SECONDS = 0.02


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def server(running: ValkeyServer) -> ValkeyServer:
    running.connect().flushall()
    return running


@pytest.fixture
def registry(server: ValkeyServer) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(QueueCollector(connect_impatiently(server.url)))
    return registry


@pytest.fixture
def queue(server: ValkeyServer) -> RedisTaskQueue:
    return RedisTaskQueue(celery_app(server.url, QueueSettings()), server.connect(), max_waiting=1_000)


def _run(
    *,
    outcome: TaskOutcome = TaskOutcome.DONE,
    attempt: int = 1,
    seconds: float = 0.3,
    delivery: Delivery | None = None,
) -> TaskRun:
    return TaskRun(
        task="fill",
        queue=QueueName.INTERACTIVE,
        delivery=delivery or Delivery(wait_seconds=0.7),
        outcome=outcome,
        attempt=attempt,
        seconds=seconds,
    )


def test_depth_and_age_are_shown_by_queue(queue: RedisTaskQueue, registry: CollectorRegistry) -> None:
    queue.fill(ENTRY, [0, 1, 2], queue=QueueName.BACKGROUND)
    time.sleep(0.05)
    waiting = [
        registry.get_sample_value("xmirad_queue_waiting_tasks", {"queue": name})
        for name in ("interactive", "background")
    ]
    assert waiting == [0, 3]
    oldest = registry.get_sample_value("xmirad_queue_oldest_waiting_seconds", {"queue": "background"})
    assert oldest is not None
    assert 0.05 <= oldest < 5
    assert registry.get_sample_value("xmirad_queue_oldest_waiting_seconds", {"queue": "interactive"}) == 0
    assert registry.get_sample_value("xmirad_queue_up") == 1


def test_what_waits_already_counts_as_deduplicated(queue: RedisTaskQueue, registry: CollectorRegistry) -> None:
    queue.fill(ENTRY, [0, 1], queue=QueueName.INTERACTIVE)
    queue.fill(ENTRY, [0, 1, 2], queue=QueueName.INTERACTIVE)
    label = {"queue": "interactive"}
    assert registry.get_sample_value("xmirad_tasks_published_total", label) == 3
    assert registry.get_sample_value("xmirad_tasks_deduplicated_total", label) == 2


def test_runs_of_all_processes_are_added_up(server: ValkeyServer, registry: CollectorRegistry) -> None:
    figures = TaskFigures(server.connect())
    figures.add(_run(seconds=0.3))
    figures.add(_run(outcome=TaskOutcome.GIVEN_UP, attempt=4, seconds=100.0))
    program = (
        "from xmirad.queue.connection import connect; from xmirad.queue.task_figures import *;"
        "from xmirad.queue.messages import Delivery; from xmirad.explanations.ports import QueueName;"
        f"TaskFigures(connect('{server.url}')).add(TaskRun(task='fill', queue=QueueName.INTERACTIVE, attempt=1,"
        "delivery=Delivery(wait_seconds=2000.0, is_redelivered=True), outcome=TaskOutcome.DONE, seconds=0.3))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    value = registry.get_sample_value
    assert value("xmirad_tasks_finished_total", {"task": "fill", "outcome": "done"}) == 2
    assert value("xmirad_tasks_finished_total", {"task": "fill", "outcome": "given_up"}) == 1
    assert value("xmirad_task_retries_total", {"task": "fill"}) == 1
    assert value("xmirad_task_redeliveries_total", {"task": "fill"}) == 1
    assert value("xmirad_task_run_seconds_bucket", {"task": "fill", "le": "0.5"}) == 2
    assert value("xmirad_task_run_seconds_bucket", {"task": "fill", "le": "32"}) == 2
    assert value("xmirad_task_run_seconds_count", {"task": "fill"}) == 3
    assert value("xmirad_task_run_seconds_sum", {"task": "fill"}) == pytest.approx(100.6)
    assert value("xmirad_task_wait_seconds_bucket", {"queue": "interactive", "le": "1"}) == 2
    assert value("xmirad_task_wait_seconds_count", {"queue": "interactive"}) == 3


def test_the_figures_do_not_grow_with_use(server: ValkeyServer) -> None:
    connection = server.connect()
    figures = TaskFigures(connection)
    for exponent in range(-9, 9):
        for attempt, outcome in enumerate(TaskOutcome):
            wait = Delivery(wait_seconds=3.0**exponent, is_redelivered=True)
            figures.add(_run(outcome=outcome, attempt=attempt, seconds=2.0**exponent, delivery=wait))
    size = connection.hlen(FIGURES)
    for _ in range(100):
        figures.add(_run())
    assert connection.hlen(FIGURES) == size < 60


def test_unfinished_tasks_are_shown_with_the_age_of_the_oldest(
    server: ValkeyServer, registry: CollectorRegistry
) -> None:
    connection, now = server.connect(), time.time()
    connection.hset(TAKEN, mapping={"a": "[]", "b": "[]"})
    connection.zadd(TAKEN_TIMES, {"a": now - 20, "b": now - 5})
    age = registry.get_sample_value("xmirad_queue_oldest_taken_seconds")
    assert age == pytest.approx(20, abs=1)
    assert registry.get_sample_value("xmirad_queue_taken_tasks") == 2


def test_a_worker_that_is_silent_counts_no_more(server: ValkeyServer, registry: CollectorRegistry) -> None:
    connection = server.connect()
    roll = WorkerRoll(connection)
    roll.beat("explainer-1@here")
    roll.beat("explainer-2@here")
    assert registry.get_sample_value("xmirad_workers_up", {"kind": "explainer"}) == 2
    connection.zadd(WORKERS, {"explainer-1@here": time.time() - 30})
    assert registry.get_sample_value("xmirad_workers_up", {"kind": "explainer"}) == 1
    assert queue_status(connection).workers == ("explainer-2@here",)
    roll.beat("explainer-2@here")
    assert connection.zcard(WORKERS) == 1
    roll.leave("explainer-2@here")
    assert registry.get_sample_value("xmirad_workers_up", {"kind": "explainer"}) == 0


def test_dead_letters_and_the_counters_of_the_cache_are_shown(
    server: ValkeyServer, registry: CollectorRegistry
) -> None:
    connection = server.connect()
    letters = DeadLetters(connection, celery_app(server.url, QueueSettings()))
    letters.add("a", task=FILL, payload={}, reason="WORKER_LOST", attempts=3)
    RedisBoard(connection).count("cache_hits", 5)
    assert registry.get_sample_value("xmirad_queue_dead_letters") == 1
    assert registry.get_sample_value("xmirad_cache_hits_total") == 5
    assert registry.get_sample_value("xmirad_cache_misses_total") == 0


def test_the_description_names_all_that_is_shown(registry: CollectorRegistry, server: ValkeyServer) -> None:
    collector = QueueCollector(server.connect())
    assert [family.name for family in collector.describe()] == [family.name for family in collector.collect()]


def test_the_page_is_made_in_less_than_20_ms(queue: RedisTaskQueue, registry: CollectorRegistry) -> None:
    queue.fill(ENTRY, range(5), queue=QueueName.INTERACTIVE)
    times, page = [], b""
    for _ in range(20):
        began = time.perf_counter()
        page = generate_latest(registry)
        times.append(time.perf_counter() - began)
    assert b"xmirad_task_wait_seconds_bucket" in page
    assert sorted(times)[len(times) // 2] < SCRAPE_SECONDS


def test_the_page_says_that_the_queue_is_down_and_does_not_wait(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(QueueCollector(connect_impatiently(f"unix://{tmp_path}/nobody.sock")))
    began = time.perf_counter()
    page = generate_latest(registry)
    assert time.perf_counter() - began < 1
    assert b"xmirad_queue_up 0.0" in page
    assert b"xmirad_workers_up" not in page


def test_a_message_hides_its_arguments_from_monitoring_programs(queue: RedisTaskQueue, server: ValkeyServer) -> None:
    queue.fill(ENTRY, [0], queue=QueueName.INTERACTIVE)
    headers = json.loads(server.connect().lindex(QueueName.INTERACTIVE, 0))["headers"]
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("...", "...")
