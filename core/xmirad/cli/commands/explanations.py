"""`xmirad explanations`: lists the explanations that are there or under way, and cancels them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad import ids
from xmirad.cli import options
from xmirad.cli.completion import archive_names
from xmirad.cli.output import Output
from xmirad.cli.session import connected
from xmirad.errors import ExplanationNotFoundError, InvalidRequestError
from xmirad.types import ExplanationState, WorkerKind

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.explanation_types import Explanation

EXAMPLES = """\b
Examples:
  xmirad explanations list --state queued --state running
  xmirad explanations cancel 5f2c09d1a4b7
  xmirad explanations cancel --all --archive chest
What is computed already stays: asked for again, a cancelled explanation goes on from there."""
PREFIX = "explanations/"
SHOWN, LEAST = 16, 8
"""So many characters of an id are shown, and so few are enough to name one."""

app = typer.Typer(help="List and cancel explanations.", no_args_is_help=True, epilog=EXAMPLES)
Archive = Annotated[
    str, typer.Option("--archive", "-a", help="Only those of this archive.", autocompletion=archive_names)
]


@app.command("list")
def list_explanations(
    context: typer.Context,
    archive: Archive = "",
    states: Annotated[list[ExplanationState] | None, typer.Option("--state", help="Only these; repeatable.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 100,
    as_json: options.Json = False,
) -> None:
    """List explanations with how far they are, in the order of their ids."""
    output = Output(as_json)
    with connected(context, output, needs_model=False) as client:
        chosen = (each for each in client.explanations(archive=archive) if not states or each.state in states)
        found = list(islice(chosen, limit + 1))
    shown = found[:limit]
    output.json([_described(each) for each in shown])
    output.table(
        ("explanation", "state", ">windows", "explained", "item", "created"),
        [
            (
                _id(each)[:SHOWN],
                each.state or "unknown",
                f"{each.windows_done}/{each.windows_total}" if each.windows_total else "",
                each.explained_image,
                each.item.removeprefix("archives/").replace("/items/", "/"),
                f"{each.create_time:%Y-%m-%d %H:%M}",
            )
            for each in shown
        ],
    )
    if len(found) > limit:
        output.note(f"there are more than {limit}; --limit shows more, --state and --archive fewer")


@app.command("cancel", epilog=EXAMPLES)
def cancel(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Names, ids, or their first {LEAST} characters.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are not done.")] = False,
    archive: Archive = "",
    as_json: options.Json = False,
) -> None:
    """Stop the work on explanations; those that are done stay as they are."""
    output = Output(as_json)
    if bool(names) is every:
        raise InvalidRequestError("name explanations as `xmirad explanations list` does, or give --all", field="names")
    with connected(context, output, workers=(WorkerKind.EXPLAINER,), needs_model=False) as client:
        chosen = _unfinished(client, archive) if every else [_full_name(client, name, archive) for name in names or ()]
        done = [client.cancel_explanation(name) for name in chosen]
    output.json([_described(each) for each in done])
    for each in done:
        output.text(f"{_id(each)[:SHOWN]}: {each.state or 'unknown'}")
    if every:
        output.text(f"{sum(each.state is ExplanationState.CANCELLED for each in done)} cancelled")


@contextmanager
def told_if_interrupted(client: "Client", output: Output, *, name: Callable[[], str], cancels: bool) -> Iterator[None]:
    """At Ctrl-C say that the work goes on and how to stop it, or stop it.

    Args:
        client: The service.
        output: Where the command prints.
        name: Returns the name of the explanation that is waited for; empty as long as none is asked for.
        cancels: Cancel the explanation.
    """
    try:
        yield
    except KeyboardInterrupt:
        if name() and cancels:
            client.cancel_explanation(name())
            output.note(f"{name()} is cancelled; what is computed of it stays")
        elif name():
            short = name().removeprefix(PREFIX)[:SHOWN]
            output.note(
                f"the work goes on: {name()} stays in the queue and is computed while a service runs; "
                f"stop it: xmirad explanations cancel {short}"
            )
        raise


def _unfinished(client: "Client", archive: str) -> Sequence[str]:
    return [each.name for each in client.explanations(archive=archive) if not each.is_done]


def _full_name(client: "Client", text: str, archive: str) -> str:
    """Return the name of an explanation that is named by the beginning of its id."""
    asked = text.removeprefix(PREFIX)
    if ids.EXPLANATION_ID.fullmatch(asked):
        return PREFIX + asked
    if len(asked) < LEAST:
        raise InvalidRequestError(f"{text!r} is too short; give {LEAST} characters of the id or more", field="names")
    found = [each.name for each in client.explanations(archive=archive) if _id(each).startswith(asked)]
    if not found:
        message = f"there is no explanation {text!r}; `xmirad explanations list` names those that are there"
        raise ExplanationNotFoundError(message, metadata={"explanation": text})
    if len(found) > 1:
        raise InvalidRequestError(f"{len(found)} explanations begin with {text!r}; give more of the id", field="names")
    return found[0]


def _id(explanation: "Explanation") -> str:
    return explanation.name.removeprefix(PREFIX)


def _described(explanation: "Explanation") -> dict[str, object]:
    fields = ("name", "state", "windows_done", "windows_total", "item", "query_item", "explained_image")
    more = ("contrast_item", "model", "attempt", "create_time", "finish_time")
    return {field: getattr(explanation, field) for field in fields + more}
