import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.project import ROOT, files_of_tests, source_files

MAX_FUNCTION_LINES = 40
FORBIDDEN_MODULES = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "base"}


def test_no_function_is_longer_than_40_lines() -> None:
    functions = [
        (path, node)
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    too_long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": length
        for path, node in functions
        if (length := lines_of_code(node)) > MAX_FUNCTION_LINES
    }
    assert too_long == {}


def test_no_module_is_named_after_nothing() -> None:
    names = [path for path in [*source_files(), *files_of_tests()] if path.stem in FORBIDDEN_MODULES]
    assert names == []


def test_test_file_names_are_unique() -> None:
    names = Counter(path.name for path in files_of_tests() if path.name.startswith("test_"))
    assert [name for name, times in names.items() if times > 1] == []


def test_every_room_says_what_it_is_for() -> None:
    rooms = {path.parent for path in source_files()}
    silent = [room for room in rooms if not ast.get_docstring(ast.parse((room / "__init__.py").read_text()))]
    assert silent == []


@pytest.mark.parametrize("module", ["services.xmirad_services", "indexer", "explainer", "core.xmirad"])
def test_source_folders_cannot_be_imported_as_packages(module: str) -> None:
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--stdin-filename", "core/xmirad/planted.py", "-"]
    report = subprocess.run(ruff, cwd=ROOT, input=f"import {module}\n", capture_output=True, text=True, check=False)
    assert "TID251" in report.stdout


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count from the first statement after the docstring to the last line."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0
