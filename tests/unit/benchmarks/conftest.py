import sys
from collections.abc import Iterator

import pytest

from support.project import ROOT


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Benchmarks are a program beside the packages, found from the repository's folder only."""
    monkeypatch.syspath_prepend(ROOT)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]
