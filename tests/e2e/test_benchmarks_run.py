"""The benchmarks run; their figures are nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.models import REPOSITORY, lite0_artifact, models_dir


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    lite0_artifact()
    environment = {"XMIRAD_MODELS_DIR": str(models_dir()), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "suites",
    [
        ("startup", "parts", "threads", "search"),
        ("occlusion",),
        ("maps", "codecs"),
        ("explanations",),
        ("load", "indexing"),
    ],
    ids=" ".join,
)
def test_a_quick_run_shows_its_figures_and_writes_them_to_a_file(suites: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    result = run_benchmarks(*suites, "--quick", "--json", str(file))

    assert result.returncode == 0, result.stderr
    document = json.loads(file.read_text("utf-8"))
    assert tuple(document["suites"]) == suites
    for measured in document["suites"].values():
        assert measured["quick"]
        assert measured["forward_ms"] > 0
        for name, figure in measured["figures"].items():
            assert name in result.stdout
            assert figure["ratio"] >= 0  # of a hundred searches none may be refused


def test_an_unknown_suite_is_refused_with_the_names_of_those_that_exist() -> None:
    result = run_benchmarks("sideways")

    assert result.returncode == 2
    assert "indexing" in result.stderr
    assert "sideways" in result.stderr


def test_a_quick_run_is_not_compared_with_the_reference() -> None:
    result = run_benchmarks("codecs", "--check", "--quick")

    assert result.returncode == 2
    assert "too few repeats" in result.stderr


def test_a_missing_model_is_named_without_a_trace(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "threads"]
    environment = {"XMIRAD_MODELS_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}

    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "MODEL_NOT_FOUND" in result.stderr
    assert "Traceback" not in result.stderr
