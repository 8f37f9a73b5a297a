"""`make bench-scale` runs, goes on where it was broken off, and finds what `xmirad plan` says, within reason."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.models import REPOSITORY, lite0_artifact, models_dir
from xmirad.planning.growth import Quantity, cost
from xmirad.types import EdgeIndex

FACTORS = {Quantity.DISK_BYTES: 2.0, Quantity.SEARCH_MS: 5.0}
"""By what factor a formula may be off, either way: disk hardly depends on the machine, processor time does."""


def run_scale(output: Path) -> dict[str, Any]:
    lite0_artifact()
    environment = {"XMIRAD_MODELS_DIR": str(models_dir()), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.scale", "--quick", "--output", str(output)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((output / "scale.json").read_text("utf-8"))
    return document


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quick_run_measures_every_cell_once_and_agrees_with_the_plan(tmp_path: Path) -> None:
    document = run_scale(tmp_path)

    assert document["mixture"]["source"] == "generated images (phantoms)"
    assert {(cell["items"], cell["index"]) for cell in document["cells"]} == {
        (items, index.value) for items in (1_000, 2_000) for index in EdgeIndex
    }
    for cell in document["cells"]:
        plain = cell["asked"]["answers"]["plain"]
        assert plain["recall"] == 1.0 or cell["index"] != "flat"
        assert plain["recall"] > 0.9
        measured = {Quantity.DISK_BYTES: cell["built"]["disk_bytes"], Quantity.SEARCH_MS: plain["latency"]["cpu_p50"]}
        for quantity, factor in FACTORS.items():
            told = cost(quantity, EdgeIndex(cell["index"]), cell["items"], cell["embedding_size"])
            assert measured[quantity] / factor <= told <= measured[quantity] * factor, (cell["items"], cell["index"])
    assert all((tmp_path / f"{name}.png").exists() for name in ("scale-search", "scale-size", "scale-building"))

    lost = tmp_path / "cells" / "2000x1280-hnsw.json"
    lost.unlink()
    began = time.time()
    again = run_scale(tmp_path)

    assert again["cells"][:-1] == document["cells"][:-1]
    written = [path for path in (tmp_path / "cells").iterdir() if path.stat().st_mtime >= began]
    assert written == [lost]
