import io
import sys

import pytest

from xmirad.cli.output import Output, plain
from xmirad.cli.progress import meter


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_off_a_terminal_progress_is_a_plain_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with meter("Indexing", 10, Output()) as shown:
        for done in range(1, 11):
            shown.update(done, int(done > 5))
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) < 10
    assert " s left, 0 failed" in lines[0]
    assert lines[-1].startswith("Indexing: 10/10, ")
    assert lines[-1].endswith(", 1 failed")


def test_on_a_terminal_progress_is_a_bar_with_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with meter("Indexing", 10, Output()) as shown:
        shown.update(10, 3)
    assert "10/10" in terminal.getvalue()
    assert "3 failed" in terminal.getvalue()


def test_nothing_printed_can_break_a_line_or_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.text("a\nb\x1b[2J")
    output.note("c\rd")
    output.table(("name",), [("e\x1b[31m\udc80f",)])
    printed = capsys.readouterr()
    assert printed.out == "a\\nb\\x1b[2J\nname\ne\\x1b[31m\\udc80f\n"
    assert printed.err == "c\\rd\n"


def test_json_is_all_that_is_printed_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.text("for people")
    output.table(("x",), [("y",)])
    output.json({"a": 1})
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'
    assert plain({"picture": b"png", "names": ("a",)}) == {"names": ["a"]}
