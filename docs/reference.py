"""Write the reference pages from the code: `make docs-reference`. A test fails when they are out of date.

`python docs/reference.py [FOLDER]` writes `settings.md`, `cli.md`, `errors.md` and `metrics.md` into a folder, by
default the one this file is in.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer.main
from prometheus_client import CollectorRegistry, Metric
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from xmirad.cli.main import app
from xmirad.errors import XmiradError
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.observability.process_metrics import show_process
from xmirad.queue.collector import QueueCollector
from xmirad.queue.worker_monitoring import show_worker
from xmirad.settings import Settings

NOTICE = "<!-- Written by `make docs-reference`. -->"
LINE_WIDTH = 100


def main() -> None:
    """Write every page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, lines in {
        "settings": settings_page(),
        "cli": cli_page(),
        "errors": errors_page(),
        "metrics": metrics_page(),
    }.items():
        text = "\n".join([NOTICE, "", *lines])
        (folder / f"{name}.md").write_text(text.rstrip() + "\n", encoding="utf-8")


def settings_page() -> Iterator[str]:
    """Describe every setting with its environment variable and default."""
    yield "# Settings"
    yield ""
    yield "What the command line says wins over environment variables, those over the TOML file (`$XMIRAD_CONFIG`, else"
    yield "`config.toml` in the home folder), and that over the defaults. `xmirad config show` prints each setting with"
    yield "its source. Unknown keys are errors."
    yield ""
    groups = {key: field for key, field in Settings.model_fields.items() if group_of(field)}
    plain = {key: field for key, field in Settings.model_fields.items() if key not in groups}
    yield from settings_table(plain, prefix="")
    for key, field in groups.items():
        group = group_of(field)
        if group:
            yield from ["", f"## {key}", "", group.__doc__ or "", ""]
            yield from settings_table(group.model_fields, prefix=key)


def group_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the class of a group of settings, or None for a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def settings_table(fields: dict[str, FieldInfo], *, prefix: str) -> Iterator[str]:
    """Describe the settings of one group."""
    rows = []
    for key, field in fields.items():
        path = [prefix, key] if prefix else [key]
        variable = "XMIRAD_" + "__".join(path).upper()
        rows.append([f"`{'.'.join(path)}`", f"`{variable}`", default_of(field), field.description or ""])
    yield from table(["setting", "environment variable", "default", "meaning"], rows)


def default_of(field: FieldInfo) -> str:
    """Return the default as a user would write it."""
    if field.default is PydanticUndefined or field.default in (None, ""):
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def cli_page() -> Iterator[str]:
    """Show the help of every command."""
    yield "# Command line"
    for path in commands(typer.main.get_command(app), ()):
        result = CliRunner().invoke(
            app, [*path, "--help"], prog_name="xmirad", terminal_width=LINE_WIDTH, color=False, catch_exceptions=False
        )
        yield from ["", f"## `{' '.join(['xmirad', *path])}`", "", "```text"]
        yield from (line.rstrip() for line in result.stdout.strip().splitlines())
        yield "```"


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - typer's own class
    """Yield the path of a command and of all below it."""
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


def errors_page() -> Iterator[str]:
    """List every reason with its status."""
    yield "# Errors"
    yield ""
    yield "A call that fails carries a gRPC status and `google.rpc.ErrorInfo` with domain `xmirad` and a reason. Branch"
    yield "on the reason; `metadata` has the variable parts of the message. The SDK raises the class."
    yield ""
    rows = [
        [f"`{error.reason}`", f"`{error.code}`", f"`{error.__name__}`", (error.__doc__ or "").strip()]
        for error in sorted(errors_with_reason(XmiradError), key=lambda error: error.reason)
    ]
    yield from table(["reason", "status", "class", "meaning"], rows)


def errors_with_reason(base: type[XmiradError]) -> Iterator[type[XmiradError]]:
    """Yield the error classes that are raised, not those that only group others."""
    for error in base.__subclasses__():
        if "reason" in vars(error):
            yield error
        yield from errors_with_reason(error)


def metrics_page() -> Iterator[str]:
    """List what the metrics pages show."""
    yield "# Metrics"
    yield ""
    yield "With `metrics.port` set, each process shows its own to Prometheus at `metrics.host`, which is the loopback"
    yield "interface unless it is set. Under `xmirad up` the explainer's page is at the next port. What they are for:"
    yield "[Watching it run](architecture/11-watching.md)."
    for title, families in metric_families().items():
        yield from ["", f"## {title}", ""]
        rows = [
            [f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`", metric.type, metric.documentation]
            for metric in families
        ]
        yield from table(["metric", "type", "meaning"], sorted(rows))


def metric_families() -> dict[str, list[Metric]]:
    """Return what the metrics pages show, by page."""
    retrieval, every, explainer = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
    RetrievalMetrics(retrieval, methods=())
    show_process(every, process="any", folders={"home": Path()})
    show_worker(explainer)
    return {
        "Every process": list(every.collect()),
        "Retrieval": list(retrieval.collect()),
        "Retrieval, where there is a queue: figures of all processes": list(QueueCollector(None).describe()),
        "Explainer and indexer": list(explainer.collect()),
    }


def table(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
