"""`make bench-scale` runs, goes on where it was broken off, and takes the disk and memory that `xmirad plan` says."""

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

DISK = (Quantity.DISK_BYTES, Quantity.LOG_BYTES)
MEMORY = (Quantity.OWN_BYTES, Quantity.MAPPED_BYTES)
DISK_FACTOR, MEMORY_FACTOR = 1.5, 2.0
"""By what factor formulas may be off, either way; bytes hardly depend on the machine."""


def told(cell: dict[str, Any], quantities: tuple[Quantity, ...]) -> float:
    index = EdgeIndex(cell["index"])
    return sum(cost(quantity, index, cell["items"], cell["embedding_size"]) for quantity in quantities)


def memory_of(cell: dict[str, Any]) -> float:
    before, after = cell["asked"]["before"], cell["asked"]["after"]
    return float(after["own"] - before["own"] + after["files"])


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
        disk, memory = told(cell, DISK) / cell["built"]["disk_bytes"], told(cell, MEMORY) / memory_of(cell)
        assert 1 / DISK_FACTOR <= disk <= DISK_FACTOR, (cell["items"], cell["index"])
        assert 1 / MEMORY_FACTOR <= memory <= MEMORY_FACTOR, (cell["items"], cell["index"])
    assert all((tmp_path / f"{name}.png").exists() for name in ("scale-search", "scale-size", "scale-building"))

    lost = tmp_path / "cells" / "2000x1280-hnsw.json"
    lost.unlink()
    began = time.time()
    again = run_scale(tmp_path)

    assert again["cells"][:-1] == document["cells"][:-1]
    written = [path for path in (tmp_path / "cells").iterdir() if path.stat().st_mtime >= began]
    assert written == [lost]
