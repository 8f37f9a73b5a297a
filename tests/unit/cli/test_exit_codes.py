"""The exit codes of `docs/cli.md`, command by command."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.errors import concrete_errors
from support.fake_client import FakeClient
from support.fake_evaluation import FakeService, write_pixels
from support.fake_explaining_client import FakeExplainingClient
from xmirad.cli.exit_codes import EXIT_CODES_HELP, ExitCode, exit_code_of
from xmirad.cli.main import app
from xmirad.errors import BackendUnavailableError, XmiradError

ITEM = "0a1b2c3d-0000-4000-8000-000000000000"


def run(*args: str) -> Result:
    return CliRunner().invoke(app, args)


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command reaches a service that answers."""

    @contextmanager
    def evaluating(*_: object, **__: object) -> Iterator[FakeService]:
        yield FakeService()

    for command in ("archive", "index", "search"):
        monkeypatch.setattr(f"xmirad.cli.commands.{command}.connected", FakeClient().connected)
    monkeypatch.setattr("xmirad.cli.commands.explain.connected", FakeExplainingClient().connected)
    for command in ("evaluate", "figures", "archive_calibrate"):
        monkeypatch.setattr(f"xmirad.cli.commands.{command}.connected", evaluating)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a data set, a named pipe, a file of 3 GB, a directory, a link that leads nowhere."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        write_pixels(tmp_path / "data" / "bright" / f"b{number}.png", [200, 200, 10, number])
        write_pixels(tmp_path / "data" / "dark" / f"d{number}.png", [10, number, 200, 200])
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "movie.mp4").touch()
    os.truncate(tmp_path / "movie.mp4", 3 << 30)
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    return tmp_path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("search pipe -a x", ExitCode.USAGE, "not a regular file but a named pipe"),
        ("evaluate data -o movie.mp4", ExitCode.USAGE, "movie.mp4: movie.mp4 is not a folder"),
        ("figures data -o movie.mp4/new", ExitCode.USAGE, "movie.mp4 is not a folder"),
        ("search /dev/zero -a x", ExitCode.USAGE, "not a regular file but a character device"),
        ("search data -a x", ExitCode.USAGE, "not a regular file but a directory"),
        ("search broken -a x", ExitCode.USAGE, "No such file or directory"),
        ("search movie.mp4 -a x", ExitCode.FAILURE, "the file has 3221225472 bytes; the service accepts 62914560"),
        ("search absent.png -a x", ExitCode.USAGE, "neither a readable file"),
        (f"explain pipe {ITEM} -a x", ExitCode.USAGE, "not a regular file but a named pipe"),
        (f"explain movie.mp4 {ITEM} -a x", ExitCode.FAILURE, "the file has 3221225472 bytes"),
        ("index pipe -a x", ExitCode.USAGE, "pipe"),
        ("index movie.mp4 -a x", ExitCode.USAGE, "movie.mp4"),
        ("index absent -a x", ExitCode.USAGE, "absent"),
        ("evaluate pipe", ExitCode.USAGE, "pipe"),
        ("evaluate data --model absent", ExitCode.FAILURE, "no such model"),
        ("evaluate data", ExitCode.OK, ""),
        ("evaluate data --figures pipe", ExitCode.USAGE, "pipe"),
        ("archive calibrate x --data pipe", ExitCode.USAGE, "pipe"),
        ("figures data -o out --only none", ExitCode.USAGE, "there is no figure 'none'"),
        ("figures pipe -o out", ExitCode.USAGE, "pipe"),
        ("report pipe data", ExitCode.USAGE, "not a regular file but a named pipe"),
        ("compare pipe pipe", ExitCode.USAGE, "not a regular file but a named pipe"),
        ("train --config pipe --data data", ExitCode.USAGE, "there is no recipe 'pipe'"),
        ("archive show absent", ExitCode.FAILURE, "there is no archive absent"),
        ("archive list --wrong", ExitCode.USAGE, "--wrong"),
        ("models show absent", ExitCode.FAILURE, "xmirad models build"),
        ("queue status", ExitCode.UNAVAILABLE, "there is no queue"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_command_ends_with_the_documented_code_and_says_why(line: str, code: ExitCode, said: str) -> None:
    result = run(*line.split())
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("error", concrete_errors())
def test_every_error_has_one_of_four_codes(error: type[XmiradError]) -> None:
    expected = {
        "FIELD_INVALID": ExitCode.USAGE,
        "BACKEND_UNAVAILABLE": ExitCode.UNAVAILABLE,
        "CALIBRATION_REFUSED": ExitCode.CALIBRATION_REFUSED,
    }
    assert exit_code_of(error("message")) is expected.get(error.reason, ExitCode.FAILURE)


def test_the_codes_of_the_help_are_those_that_are_used() -> None:
    assert [int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES_HELP, re.MULTILINE)] == list(ExitCode)


@pytest.mark.parametrize(
    ("raised", "code"), [(KeyboardInterrupt(), ExitCode.INTERRUPTED), (BackendUnavailableError("gone"), 3)]
)
def test_what_ends_a_command_from_outside_has_its_code(
    raised: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Callable[[], None]:
        raise raised

    monkeypatch.setattr("xmirad.cli.commands.archive.connected", fail)
    assert run("archive", "list").exit_code == code
