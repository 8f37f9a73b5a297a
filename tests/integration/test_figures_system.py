"""Figures drawn through the whole system: service, queue and explainer as users start them, with real models."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.models import lite0_artifact, models_dir, random_artifact
from xmirad.phantoms.writing import write_phantoms

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MAIN = [sys.executable, "-c", "from xmirad.cli.main import main; main()"]


def figures(home: Path, data: Path, out: Path, *options: str) -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XMIRAD_")}
    own = {"XMIRAD_HOME": str(home), "XMIRAD_MODELS_DIR": str(models_dir()), "OMP_NUM_THREADS": "1"}
    command = [*MAIN, "figures", str(data), "-o", str(out), "--json", *options]
    done = subprocess.run(command, env={**clean, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_private_service_has_every_kind_of_figure_drawn_and_a_second_run_repeats_it(tmp_path: Path) -> None:
    control = random_artifact("efficientnet-lite0")
    data, out, home = tmp_path / "phantoms", tmp_path / "out", tmp_path / "home"
    write_phantoms(data, images_per_class=4, seed=0)
    options = ["--only", "tsne,grid-activation,control-attention,sanity", "--control", control.digest]
    options += ["--model", lite0_artifact().digest, "--pairs", "1", "--window", "112", "--stride", "56"]

    begin = time.monotonic()
    document = figures(home, data, out, *options)
    first_seconds = time.monotonic() - begin

    by_name = {figure["name"]: figure for figure in document["figures"]}
    assert sorted(by_name) == ["control-attention", "grid-activation", "sanity", "tsne"]
    assert document["omitted"] == []
    assert by_name["tsne"]["numbers"]["n"] == 12
    assert 0.5 < by_name["tsne"]["numbers"]["trustworthiness"] <= 1
    cases = by_name["grid-activation"]["details"]["cases"]
    assert by_name["grid-activation"]["details"]["failed"] == []
    assert all(result["largest"] > 0 for case in cases for result in case["results"])
    assert by_name["control-attention"]["numbers"]["digest"] == control.digest
    methods = by_name["sanity"]["details"]["methods"]
    for name, method in methods.items():
        assert method["pairs"] == 3
        mean = method["ssim"]["same_pair"]["mean"]
        print(f"{name}: SSIM of trained and random weights {mean:.3f}")
        assert -1 <= mean < 0.99
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    begin = time.monotonic()
    figures(home, data, out, *options)
    print(f"{first_seconds:.1f} s, and {time.monotonic() - begin:.1f} s again")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
