"""The commands that pages tell readers to type exist, with the options that they are given."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from support.project import ROOT
from xmirad.cli.main import app

PAGES = ("README.md", "docs/first-hour.md")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^(?:\.venv/bin/)?xmirad (.+)$", re.MULTILINE)


def commands(page: Path) -> list[str]:
    return [line for block in BLOCK.findall(page.read_text("utf-8")) for line in COMMAND.findall(block)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists_with_its_options(page: str) -> None:
    found = commands(ROOT / page)
    assert len(found) >= 5
    for line in found:
        words = shlex.split(line, comments=True)
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_the_walk_of_the_readme_explains_the_query_it_searched_with() -> None:
    lines = commands(ROOT / "README.md")
    searched, explained = (
        next(line for line in lines if line.startswith(word)).split() for word in ("search", "explain")
    )
    assert searched[1] == explained[1]
