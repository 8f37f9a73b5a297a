import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and no other setting in the environment."""
    for name in [name for name in os.environ if name.startswith("XMIRAD_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("XMIRAD_HOME", str(folder))
    return folder
