from collections.abc import Iterator
from pathlib import Path

import pytest

from support.supervised import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A supervisor of one fake program that is stopped after the test."""
    rig = Rig(tmp_path)
    yield rig
    rig.stop()
