"""The broker of the explanation queue, the workers behind it, and how long tasks have waited."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from xmirad.doctor.findings import Finding, failed, ok, skipped, warning
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.queue.address import queue_url
from xmirad.queue.app import check_visibility
from xmirad.queue.connection import CERTIFICATE_REFUSED, CREDENTIALS_REFUSED, connect_impatiently
from xmirad.queue.inspection import ServerFacts, server_facts
from xmirad.queue.status import QueueStatus, queue_status
from xmirad.queue.workers import count_by_kind
from xmirad.settings import QueueSettings, Settings
from xmirad.types import WorkerKind

ANSWER_SECONDS = 1.5
OLDEST_SECONDS = {"interactive": 60.0, "background": 6 * 3_600.0}
"""As in the alerts QueueTooOld and BackgroundTooOld."""
OLDEST_TAKEN_SECONDS = 120.0
"""As in the alert TaskNotFinished."""
FULL_SHARE, TIGHT_SHARE = 0.95, 0.75
NAMES = ("workers", "queue")
REMEDIES = {
    CREDENTIALS_REFUSED: "write the server's password into the file of queue.password_file (or into queue.url)",
    CERTIFICATE_REFUSED: "set queue.ca_file to the certificates that sign the server's",
}
START = "start the server, or correct queue.url; `xmirad up` brings one of its own"
KEEP_LOG = "set `appendonly yes` on the server, or tasks that wait are lost with it"
KEEP_TASKS = "set `maxmemory-policy noeviction` on the server, or it throws tasks away when memory is full"
MORE_MEMORY = "raise `maxmemory` on the server, or start more workers to empty the queue"


def check_queue(settings: Settings) -> Iterator[Finding]:
    """Yield how broker, workers and queue are."""
    yield _visibility(settings.queue)
    try:
        url = queue_url(settings)
    except InvalidRequestError as error:
        yield failed("broker", error.message, f"correct {error.field}")
        return
    if url is None:
        why = "there is no queue: occlusion maps need `xmirad up`, or queue.url"
        yield from (skipped(name, why) for name in ("broker", *NAMES))
        return
    server = connect_impatiently(url, seconds=ANSWER_SECONDS)
    try:
        facts, status = server_facts(server), queue_status(server)
    except BackendUnavailableError as error:
        yield failed("broker", f"{error.message} ({shown(url)})", REMEDIES.get(error.metadata.get("cause", ""), START))
        yield from (skipped(name, "the broker does not answer") for name in NAMES)
    else:
        yield ok("broker", f"{facts.program} answers at {shown(url)}")
        yield from _kept(facts)
        yield from _workers(settings, status)
        yield from _queue(settings.queue, status)
    finally:
        server.close()


def shown(url: str) -> str:
    """Return where a URL leads, without user, password and options."""
    parts = urlsplit(url)
    place = parts.path if not parts.hostname else f"{parts.hostname}:{parts.port or 6379}"
    return f"{parts.scheme}://{place}"


def _visibility(settings: QueueSettings) -> Finding:
    times = f"{settings.visibility_seconds:g} s; a task may run {settings.task_seconds:g} s"
    try:
        check_visibility(settings)
    except InvalidRequestError as error:
        return failed("visibility timeout", f"{times}: {error.message}", "raise queue.visibility_seconds")
    return ok("visibility timeout", times)


def _kept(facts: ServerFacts) -> Iterator[Finding]:
    if not facts.append_only:
        yield failed("persistence", "the broker keeps no log of what it is given", KEEP_LOG)
    elif not facts.is_log_written:
        remedy = "free room on the server's disk; it takes no task meanwhile"
        yield failed("persistence", "the broker cannot write its log", remedy)
    else:
        yield ok("persistence", "the broker logs what it is given (AOF)")
    if facts.memory_policy != "noeviction":
        yield failed("memory policy", facts.memory_policy, KEEP_TASKS)
    elif facts.most_bytes and facts.used_bytes > TIGHT_SHARE * facts.most_bytes:
        share = facts.used_bytes / facts.most_bytes
        judge = failed if share > FULL_SHARE else warning
        yield judge("memory policy", f"noeviction, and {share:.0%} of the memory are used", MORE_MEMORY)
    else:
        yield ok("memory policy", "noeviction")


def _workers(settings: Settings, status: QueueStatus) -> Iterator[Finding]:
    counts = count_by_kind(status.workers)
    if not counts[WorkerKind.EXPLAINER]:
        remedy = "start one: `xmirad up`, or `python -m xmirad_explainer`; its log says why it does not start"
        yield failed("workers", "no explainer has given a sign of life within 10 s", remedy)
    else:
        yield ok("workers", f"{len(status.workers)} alive: {', '.join(status.workers)}")
    if settings.imports.folders and not counts[WorkerKind.INDEXER]:
        remedy = "start one: `python -m xmirad_indexer`, or set imports.folders where one runs only"
        yield warning("workers", "imports.folders are set, but no indexer gives signs of life", remedy)


def _queue(settings: QueueSettings, status: QueueStatus) -> Iterator[Finding]:
    late = list(_late(status))
    yield from late
    if status.waiting > TIGHT_SHARE * settings.max_waiting:
        found = f"{status.waiting} tasks wait, of {settings.max_waiting} allowed (queue.max_waiting)"
        yield warning("queue", found, "start more explainers; beyond the limit explanations are refused")
    elif not late:
        yield ok("queue", f"{status.waiting} tasks wait, {status.taken} are worked on")
    if status.dead_letters:
        remedy = "see why: `xmirad queue dead`; then `xmirad queue requeue` or `purge`"
        yield warning("queue", f"{status.dead_letters} tasks were given up", remedy)


def _late(status: QueueStatus) -> Iterator[Finding]:
    remedy = "start more explainers, or see in their logs why they do not finish"
    for name, depth in status.queues.items():
        age = depth.oldest_seconds or 0.0
        if age > OLDEST_SECONDS.get(name, float("inf")):
            yield warning("queue", f"a task has waited for {age:.0f} s in the {name} queue", remedy)
    taken = status.oldest_taken_seconds or 0.0
    if taken > OLDEST_TAKEN_SECONDS:
        yield warning("queue", f"a worker has had a task for {taken:.0f} s", remedy)
