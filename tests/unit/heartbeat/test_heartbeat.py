"""A worker's sign of life, and what is said of a worker that gives none."""

import json
import os
import time
from pathlib import Path

import pytest

from xmirad.errors import BackendUnavailableError
from xmirad.heartbeat import STALE_SECONDS, beat, check_heartbeat


def test_a_fresh_sign_of_a_living_process_is_enough(tmp_path: Path) -> None:
    beat(tmp_path / "run" / "indexer.heartbeat")
    assert check_heartbeat(tmp_path / "run" / "indexer.heartbeat", worker="indexer") == os.getpid()


def test_a_missing_an_old_and_a_broken_sign_and_one_of_the_dead_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "indexer.heartbeat"
    with pytest.raises(BackendUnavailableError, match="no sign of life: it starts"):
        check_heartbeat(file, worker="indexer")
    beat(file)
    old = time.time() - STALE_SECONDS - 5
    os.utime(file, (old, old))
    with pytest.raises(BackendUnavailableError, match="for 20 s"):
        check_heartbeat(file, worker="indexer")
    for content in ("{", json.dumps({"pid": 2**22 + 1})):
        file.write_text(content)
        with pytest.raises(BackendUnavailableError, match="is gone"):
            check_heartbeat(file, worker="indexer")
