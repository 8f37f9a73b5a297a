"""Shows the queue to Prometheus: what Flower and the exporters for Celery miss.

The retrieval service owns the page that these are on. Explainers come in any number, also none, and then there would be
nobody to say so, or many to say the same; whoever adds up explainers would count the one queue several times. Retrieval
is there whenever work is taken on. Several replicas of it say the same, so queries take the maximum.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from xmirad.errors import BackendUnavailableError
from xmirad.explanations.ports import QueueName
from xmirad.explanations.sweeping import NOT_SWEPT
from xmirad.queue.board import RedisBoard
from xmirad.queue.connection import Server, available
from xmirad.queue.payloads import ASSESS, FILL, INDEX
from xmirad.queue.status import QueueStatus, queue_status
from xmirad.queue.task_figures import (
    FIGURES,
    MORE,
    RUN_SECONDS,
    WAIT_SECONDS,
    Figure,
    TaskOutcome,
    figure_name,
    queue_label,
    sum_name,
    task_label,
)
from xmirad.queue.workers import count_by_kind

QUEUES = tuple(queue_label(queue) for queue in sorted(QueueName))
TASKS = (task_label(FILL), task_label(ASSESS), task_label(INDEX))
BOARD_COUNTERS = {
    "cache_hits": ("xmirad_cache_hits", "Occlusion maps whose masked embeddings were all there."),
    "cache_misses": ("xmirad_cache_misses", "Occlusion maps of which some had to be computed."),
    "cache_corrupt_chunks": ("xmirad_cache_corrupt_chunks", "Chunks that did not read as they were written."),
    "cache_bytes_written": ("xmirad_cache_written_bytes", "Bytes of chunks that were stored."),
    NOT_SWEPT: ("xmirad_explanations_not_swept", "Times that a sweep could not look after an explanation."),
}
_log = logging.getLogger(__name__)
Figures = Mapping[str, str]


class QueueCollector(Collector):
    """Reads the server anew for every scrape, in three round trips. Safe to use from many threads."""

    def __init__(self, server: Server) -> None:
        """Read a server; it should be one that does not try again, because a scrape has little time."""
        self._server = server

    def describe(self) -> Iterator[Metric]:
        """Yield what `collect` yields, without values."""
        yield up(is_up=True)
        yield from gauges(None)
        yield from counters({})
        yield from histograms({})
        yield from board_counters({})

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of now; only that it is down when the server does not answer."""
        try:
            status = queue_status(self._server)
            with available():
                figures = self._server.hgetall(FIGURES)
            counted = RedisBoard(self._server).counters()
        except BackendUnavailableError as error:
            _log.warning("queue.not_measured", extra={"reason": error.reason})
            yield up(is_up=False)
            return
        yield up(is_up=True)
        yield from gauges(status)
        yield from counters(figures)
        yield from histograms(figures)
        yield from board_counters(counted)


def up(*, is_up: bool) -> Metric:
    """Return whether the queue answers."""
    return GaugeMetricFamily("xmirad_queue_up", "Whether the queue's server answers; 1 or 0.", value=int(is_up))


def gauges(status: QueueStatus | None) -> Iterator[Metric]:
    """Yield depth, ages, dead letters and workers."""
    waiting = GaugeMetricFamily("xmirad_queue_waiting_tasks", "Tasks that wait.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "xmirad_queue_oldest_waiting_seconds", "How long the oldest waiting task has waited; 0: none.", labels=["queue"]
    )
    taken = GaugeMetricFamily("xmirad_queue_taken_tasks", "Tasks that workers have taken and not finished.")
    taken_age = GaugeMetricFamily(
        "xmirad_queue_oldest_taken_seconds", "How long ago the oldest unfinished task was taken; 0: none."
    )
    dead = GaugeMetricFamily("xmirad_queue_dead_letters", "Tasks that were given up and not dealt with.")
    workers = GaugeMetricFamily(
        "xmirad_workers_up", "Workers that were heard of in the last ten seconds.", labels=["kind"]
    )
    if status is not None:
        for queue, depth in status.queues.items():
            waiting.add_metric([queue], depth.waiting)
            oldest.add_metric([queue], depth.oldest_seconds or 0)
        taken.add_metric([], status.taken)
        taken_age.add_metric([], status.oldest_taken_seconds or 0)
        dead.add_metric([], status.dead_letters)
        for kind, count in count_by_kind(status.workers).items():
            workers.add_metric([kind], count)
    yield from (waiting, oldest, taken, taken_age, dead, workers)


def counters(figures: Figures) -> Iterator[Metric]:
    """Yield what is counted by task and by queue; what never happened is 0, so that its first time is an increase."""
    finished = CounterMetricFamily("xmirad_tasks_finished", "Runs of tasks by outcome.", labels=["task", "outcome"])
    for task in TASKS:
        for outcome in TaskOutcome:
            finished.add_metric([task, outcome], _number(figures, figure_name(Figure.FINISHED, task, outcome)))
    yield finished
    retries, again = "Runs that were not the first attempt.", "Runs of tasks that a worker had before and not finished."
    yield _counter(figures, Figure.RETRIES, "xmirad_task_retries", retries, "task", TASKS)
    yield _counter(figures, Figure.REDELIVERIES, "xmirad_task_redeliveries", again, "task", TASKS)
    published, waited = "Tasks that were published.", "Tasks that were not published because they wait already."
    yield _counter(figures, Figure.PUBLISHED, "xmirad_tasks_published", published, "queue", QUEUES)
    yield _counter(figures, Figure.DEDUPLICATED, "xmirad_tasks_deduplicated", waited, "queue", QUEUES)


def histograms(figures: Figures) -> Iterator[Metric]:
    """Yield how long tasks waited and ran."""
    wait = HistogramMetricFamily("xmirad_task_wait_seconds", "Time from publishing to running.", labels=["queue"])
    for queue in QUEUES:
        _add_buckets(wait, figures, Figure.WAIT, queue, WAIT_SECONDS)
    run = HistogramMetricFamily("xmirad_task_run_seconds", "Time of running a task.", labels=["task"])
    for task in TASKS:
        _add_buckets(run, figures, Figure.RUN, task, RUN_SECONDS)
    yield from (wait, run)


def board_counters(counted: Mapping[str, int]) -> Iterator[Metric]:
    """Yield what all processes have counted on the board."""
    for counter, (name, meaning) in BOARD_COUNTERS.items():
        yield CounterMetricFamily(name, meaning, value=counted.get(counter, 0))


def _counter(figures: Figures, figure: Figure, name: str, meaning: str, label: str, values: Iterable[str]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value in values:
        family.add_metric([value], _number(figures, figure_name(figure, value)))
    return family


def _add_buckets(
    family: HistogramMetricFamily, figures: Figures, figure: Figure, label: str, bounds: tuple[float, ...]
) -> None:
    names = [*(f"{bound:g}" for bound in bounds), MORE]
    counts = accumulate(_number(figures, figure_name(figure, label, name)) for name in names)
    buckets = list(zip(names, counts, strict=True))
    family.add_metric([label], buckets, sum_value=_number(figures, sum_name(figure, label)))


def _number(figures: Figures, name: str) -> float:
    return float(figures.get(name, 0))
