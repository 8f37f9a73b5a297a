import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from support.errors import concrete_errors
from support.monitoring import shown_metrics
from support.project import ROOT
from xmirad.cli.main import app
from xmirad.datasets.dataset import Layout
from xmirad.datasets.manifest import COLUMNS
from xmirad.ids import PLACEHOLDER_IDS
from xmirad.settings import Settings

DOCS = ROOT / "docs"
PAGES = ("settings", "cli", "errors", "metrics")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, DOCS / "reference.py", folder], check=True, env={"COLUMNS": "200"})
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_reference_pages_are_current(written: Path, page: str) -> None:
    assert (DOCS / f"{page}.md").read_text() == (written / f"{page}.md").read_text(), "run `make docs-reference`"


def test_every_setting_is_documented_with_a_meaning() -> None:
    text = (DOCS / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for key, setting in kind.model_fields.items():
                assert f"`{name}.{key}`" in text
                assert setting.description
        else:
            assert f"| `{name}` |" in text
            assert field.description


def test_every_command_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    command = typer.main.get_command(app)
    for name, below in getattr(command, "commands", {}).items():
        assert f"## `xmirad {name}`" in text
        for inner in getattr(below, "commands", {}):
            assert f"## `xmirad {name} {inner}`" in text


def test_layouts_columns_and_placeholders_of_data_sets_are_documented() -> None:
    text = (DOCS / "data-sets.md").read_text()
    words = {*Layout, *COLUMNS, *PLACEHOLDER_IDS}
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_every_error_reason_is_documented() -> None:
    text = (DOCS / "errors.md").read_text()
    assert [error.reason for error in concrete_errors() if f"| `{error.reason}` | `{error.code}` |" not in text] == []


def test_every_metric_is_documented() -> None:
    text = (DOCS / "metrics.md").read_text()
    assert sorted(name for name in shown_metrics() if f"| `{name}` |" not in text) == []
