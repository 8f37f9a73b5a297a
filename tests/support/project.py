"""The project's own files, as tests see them."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("core", "services", "indexer", "explainer")
PACKAGES = ("xmirad", "xmirad_services", "xmirad_indexer", "xmirad_explainer")


def configuration() -> dict[str, Any]:
    """Return the parsed `pyproject.toml`."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def source_files() -> list[Path]:
    """Return every hand-written Python file of the product, without generated stubs."""
    files = [path for root in SOURCE_ROOTS for path in (ROOT / root).rglob("*.py")]
    return sorted(path for path in files if "_pb2" not in path.name)


def files_of_tests() -> list[Path]:
    """Return every Python file under `tests`."""
    return sorted((ROOT / "tests").rglob("*.py"))
