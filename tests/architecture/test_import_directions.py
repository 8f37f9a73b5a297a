import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.project import ROOT, SOURCE_ROOTS, configuration

PLANTED_VIOLATIONS = [
    ("Rooms build on each other in one direction", "core/xmirad/types.py", "from xmirad.settings import Settings"),
    ("Rooms build on each other in one direction", "core/xmirad/imaging/limits.py", "import xmirad.models.registry"),
    ("Rooms build on each other in one direction", "core/xmirad/models/registry.py", "import xmirad.catalog.catalog"),
    ("Rooms build on each other in one direction", "core/xmirad/indexing/runner.py", "import xmirad.client"),
    ("Rooms build on each other in one direction", "core/xmirad/client/types.py", "import xmirad.evaluation"),
    ("Rooms build on each other in one direction", "core/xmirad/new_room.py", "import json"),
    ("Deployables never import each other", "services/xmirad_services/planted.py", "import xmirad_explainer"),
    ("Deployables never import each other", "explainer/xmirad_explainer/planted.py", "import xmirad_indexer"),
    ("The library never imports a deployable", "core/xmirad/cli/planted.py", "import xmirad_services.retrieval"),
    (
        "Only model building, training and the torch backbone import torch",
        "core/xmirad/models/embedder.py",
        "import torch",
    ),
    (
        "Only model building, training and the torch backbone import torch",
        "core/xmirad/metrics/planted.py",
        "import torchvision",
    ),
    (
        "No deployable reaches torch",
        "services/xmirad_services/planted.py",
        "from xmirad.models.torch_backbone import TorchBackbone",
    ),
    (
        "No deployable reaches torch",
        "explainer/xmirad_explainer/parts.py",
        "from xmirad.models.torch_backbone import TorchBackbone",
    ),
    (
        "Only the explainer may ask for torch",
        "indexer/xmirad_indexer/parts.py",
        "from xmirad.models.torch_embedder import load_torch_embedder",
    ),
    (
        "Only the explainer may ask for torch",
        "core/xmirad/explanations/filling.py",
        "from xmirad.models import torch_embedder",
    ),
    ("Only the adapters import Qdrant", "core/xmirad/archive/port.py", "import qdrant_client"),
    ("Only the adapters import Qdrant", "core/xmirad/archive/search.py", "import qdrant_edge"),
    ("One module imports OpenVINO", "core/xmirad/models/embedder.py", "import openvino"),
    ("Only contract, client and services speak gRPC", "core/xmirad/evaluation/planted.py", "import grpc"),
    ("Protobuf messages stay at the edge", "core/xmirad/indexing/runner.py", "from xmirad.api.v1 import resources_pb2"),
    ("Only the command line knows the terminal", "core/xmirad/evaluation/planted.py", "import rich"),
    ("Only the command line knows the terminal", "core/xmirad/supervisor/planted.py", "import typer"),
    ("Only the blob store's implementation imports fsspec", "core/xmirad/catalog/catalog.py", "import fsspec"),
    ("Only the catalog speaks SQL", "core/xmirad/indexing/runner.py", "import sqlalchemy"),
    ("Only the catalog speaks SQL", "services/xmirad_services/planted.py", "from pysqlite3 import dbapi2"),
    ("Only the catalog speaks SQL", "core/xmirad/imports/store.py", "import psycopg"),
    ("Only the queue and its workers know Celery", "core/xmirad/explanations/filling.py", "import celery"),
    ("Only the queue and its workers know Celery", "services/xmirad_services/planted.py", "from kombu import Queue"),
    ("Only the queue speaks Redis", "explainer/xmirad_explainer/parts.py", "import redis"),
    ("One module reads JSON Web Tokens", "core/xmirad/access/authentication.py", "import jwt"),
    ("Only the raster decoder reads HEIC", "core/xmirad/imaging/decoding.py", "import pillow_heif"),
    ("Only tracing knows OpenTelemetry", "core/xmirad/explanations/scoring.py", "import opentelemetry.trace"),
    ("Data set readers use the standard library only", "core/xmirad/datasets/dataset.py", "import numpy"),
    ("Metrics and evidence use numpy only", "core/xmirad/metrics/planted.py", "import sklearn"),
    ("Metrics and evidence use numpy only", "core/xmirad/evidence/planted.py", "import PIL"),
    ("Saliency maps are computed with numpy and nothing else", "core/xmirad/saliency/lattice.py", "import PIL"),
    ("Saliency maps are computed with numpy and nothing else", "core/xmirad/saliency/render.py", "import pathlib"),
    (
        "Only charts and figures know the plotting libraries",
        "core/xmirad/evaluation/planted.py",
        "import matplotlib.figure",
    ),
    ("Only charts and figures know the plotting libraries", "core/xmirad/cli/planted.py", "import sklearn.manifold"),
    ("Rooms build on each other in one direction", "core/xmirad/evaluation/evaluate.py", "import xmirad.figures"),
    (
        "Saliency maps are computed with numpy and nothing else",
        "core/xmirad/saliency/features.py",
        "from xmirad.imaging.preprocessing import Preprocessing",
    ),
    ("Rooms build on each other in one direction", "core/xmirad/saliency/features.py", "import xmirad.models.embedder"),
    ("The base install needs no server package", "core/xmirad/client/types.py", "import xmirad.blobs.fsspec_store"),
    (
        "The base install needs no server package",
        "core/xmirad/evaluation/planted.py",
        "def later() -> None:\n    import openvino",
    ),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for root in SOURCE_ROOTS:
        shutil.copytree(ROOT / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_rules_on_imports_hold(tree: Path) -> None:
    report = lint_imports(tree)
    assert report.returncode == 0, report.stdout


@pytest.mark.parametrize(("contract", "path", "line"), PLANTED_VIOLATIONS)
def test_a_planted_violation_breaks_its_contract(tree: Path, contract: str, path: str, line: str) -> None:
    with (tree / path).open("a") as file:
        file.write(f"\n{line}\n")
    report = lint_imports(tree)
    assert report.returncode != 0
    assert f"{contract} BROKEN" in report.stdout or is_unplaced_room(report.stdout, path), report.stdout


def test_every_contract_has_a_planted_violation() -> None:
    contracts = {contract["name"] for contract in configuration()["tool"]["importlinter"]["contracts"]}
    assert contracts == {contract for contract, _, _ in PLANTED_VIOLATIONS}


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(tree / root) for root in SOURCE_ROOTS)
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def is_unplaced_room(report: str, path: str) -> bool:
    return Path(path).stem == "new_room" and "xmirad.new_room" in report
