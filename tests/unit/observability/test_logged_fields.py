import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import ROOT, SOURCE_ROOTS
from xmirad.observability.fields import ALLOWED_FIELDS, EVENT_NAME

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"_log", "log", "logger", "_logger"}
LOGGING_ARGUMENTS = {"exc_info", "extra", "stack_info", "stacklevel"}


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in LOGGERS:
                yield node


def _fields(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            yield from (str(ast.literal_eval(key)) for key in keyword.value.keys if key is not None)
        elif keyword.arg not in LOGGING_ARGUMENTS:
            yield str(keyword.arg)


LOG_CALLS = [
    pytest.param(call, id=f"{path.relative_to(ROOT)}:{call.lineno}")
    for root in SOURCE_ROOTS
    for path in sorted((ROOT / root).rglob("*.py"))
    for call in _calls(path)
]


@pytest.mark.parametrize("call", LOG_CALLS)
def test_every_log_line_has_an_event_name_and_only_allowed_fields(call: ast.Call) -> None:
    event = call.args[0]
    assert isinstance(event, ast.Constant)
    assert EVENT_NAME.fullmatch(str(event.value))
    assert len(call.args) == 1
    assert set(_fields(call)) <= ALLOWED_FIELDS


def test_log_lines_are_found() -> None:
    assert len(LOG_CALLS) >= 10
