"""`xmirad queue`: how the queue is doing, and what to do with tasks that were given up."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.cli.progress import meter
from xmirad.cli.session import settings_of
from xmirad.errors import BackendUnavailableError, InvalidRequestError

if TYPE_CHECKING:
    from xmirad.explanations.entries import OcclusionEntry
    from xmirad.queue.connection import Server
    from xmirad.queue.dead_letters import DeadLetters

EXAMPLES = """\b
Examples:
  xmirad queue status
  xmirad queue dead --json
  xmirad queue requeue --all"""

app = typer.Typer(help="Look after the queue of explanations.", no_args_is_help=True, epilog=EXAMPLES)

Keys = Annotated[
    list[str] | None, typer.Argument(help="What they are called in `xmirad queue dead`.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
Force = Annotated[bool, typer.Option("--force", help="Do it; without this, only count.")]


@app.command("status")
def status(context: typer.Context, as_json: options.Json = False) -> None:
    """Show what waits, what workers are at, which workers are alive, and how much was given up."""
    from xmirad.queue.status import queue_status

    output = Output(as_json)
    found = queue_status(_server(context))
    output.json(found)
    rows = [(name, depth.waiting, _seconds(depth.oldest_seconds)) for name, depth in found.queues.items()]
    output.table(("queue", ">waiting", ">oldest"), rows)
    output.text(f"{found.taken} with workers, the oldest for {_seconds(found.oldest_taken_seconds)}")
    output.text(f"{len(found.workers)} workers: {', '.join(found.workers) or 'none, so nothing is computed'}")
    output.text(f"{found.dead_letters} given up" + ("; see `xmirad queue dead`" if found.dead_letters else ""))


@app.command("dead")
def dead(context: typer.Context, as_json: options.Json = False) -> None:
    """List the tasks that were given up, oldest first."""
    output = Output(as_json)
    letters = _dead_letters(context).list()
    output.json(letters)
    rows = [
        (letter.key, letter.task, letter.reason, letter.attempts, f"{_when(letter.time):%Y-%m-%d %H:%M}")
        for letter in letters
    ]
    output.table(("key", "task", "reason", ">attempts", "given up"), rows)


@app.command("requeue")
def requeue(context: typer.Context, keys: Keys = None, every: All = False, as_json: options.Json = False) -> None:
    """Try tasks again that were given up, in the background. Those of imports cannot be: begin a new import."""
    output = Output(as_json)
    letters = _dead_letters(context)
    of_imports = {letter.key for letter in letters.list() if letter.is_of_import}
    chosen = [key for key in _chosen(letters, keys, every) if not (every and key in of_imports)]
    chosen.sort(key=lambda key: key not in of_imports)  # what is refused, before anything is done
    done, want = 0, _want(context)
    with meter("Requeuing", len(chosen), output) as progress:
        for key in chosen:
            done += letters.requeue(key, want=want)
            progress.update(done, 0)
    output.json({"requeued": done})
    output.text(f"{done} tasks wait again")
    if every and of_imports:
        output.note(f"{len(of_imports)} tasks of imports stay: begin new imports, then `xmirad queue purge` them")


@app.command("purge")
def purge(
    context: typer.Context, keys: Keys = None, every: All = False, force: Force = False, as_json: options.Json = False
) -> None:
    """Throw tasks away that were given up. Their explanations have failed, and can be asked for again."""
    output = Output(as_json)
    letters = _dead_letters(context)
    chosen = _chosen(letters, keys, every)
    purged = sum(letters.purge(key) for key in chosen) if force else 0
    output.json({"selected": len(chosen), "purged": purged})
    output.text(f"{purged} thrown away" if force else f"{len(chosen)} would be thrown away; --force does it")


def _chosen(letters: "DeadLetters", keys: Sequence[str] | None, every: bool) -> list[str]:
    if bool(keys) is every:
        raise InvalidRequestError("name tasks as `xmirad queue dead` does, or give --all", field="keys")
    known = [letter.key for letter in letters.list()]
    unknown = [key for key in keys or () if key not in known]
    if unknown:
        raise InvalidRequestError(f"no task was given up under the key {unknown[0]}", field="keys")
    return list(keys or known)


def _dead_letters(context: typer.Context) -> "DeadLetters":
    from xmirad.queue.app import celery_app
    from xmirad.queue.dead_letters import DeadLetters

    return DeadLetters(_server(context), celery_app(_url(context), settings_of(context).queue))


def _want(context: typer.Context) -> "Callable[[OcclusionEntry], object]":
    """Return what notes that a cache entry is to be computed ahead."""
    from xmirad.composition import blob_store, catalog
    from xmirad.explanations.cache import OcclusionCache
    from xmirad.explanations.warming import Warmer
    from xmirad.queue.app import celery_app
    from xmirad.queue.board import RedisBoard
    from xmirad.queue.task_queue import RedisTaskQueue

    settings, server = settings_of(context), _server(context)
    database = catalog(settings).database
    cache = OcclusionCache(database, blob_store(settings), RedisBoard(server))
    app = celery_app(_url(context), settings.queue)
    queue = RedisTaskQueue(app, server, max_waiting=settings.queue.max_waiting)
    return Warmer(database, cache, queue=queue, budget_bytes=settings.explanations.cache_bytes).want


def _server(context: typer.Context) -> "Server":
    from xmirad.queue.connection import connect_impatiently

    return connect_impatiently(_url(context))


def _url(context: typer.Context) -> str:
    from xmirad.queue.address import queue_url

    url = queue_url(settings_of(context))
    if url is None:
        message = "there is no queue: set queue.url, or run `xmirad up`"
        raise BackendUnavailableError(message, field="queue.url", metadata={"backend": "queue"})
    return url


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
