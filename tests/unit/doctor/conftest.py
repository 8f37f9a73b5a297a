import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("XMIRAD_")]:
        monkeypatch.delenv(name)
