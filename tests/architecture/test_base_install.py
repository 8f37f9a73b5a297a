"""The base install is enough for clients, and the serving install for the service: nobody needs torch to search."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from support.live_service import live_service
from support.pictures import png
from support.project import ROOT
from xmirad.client.types import Upload

BASE_ROOMS = ("client", "metrics", "evidence", "evaluation", "figures", "planning", "datasets", "cli", "api")

IMPORT_ALL = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        importlib.import_module(module.name)
"""

DIAGNOSE = """
import json, pathlib
from xmirad.doctor.examining import diagnose
found = diagnose({"home": pathlib.Path(sys.argv[1]), "server": {"address": "127.0.0.1:1"}}, limit_seconds=30.0).findings
print(json.dumps({finding.name: finding.state for finding in found}))
"""

BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not in this install", name=name)
sys.meta_path.insert(0, Absent())
"""


def locked(*sets: str) -> set[str]:
    lines = [line for name in sets for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()]
    return {line.partition("==")[0] for line in lines if not line.startswith("#")}


def blocked_by(distributions: set[str]) -> set[str]:
    """Return the top-level modules that only these distributions have."""
    return {
        module
        for module, owners in packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} <= distributions
    }


def import_without(distributions: set[str], rooms: list[str]) -> subprocess.CompletedProcess[str]:
    """Import every module of the rooms in a process in which some distributions seem not to be installed."""
    code = BLOCK.format(blocked=blocked_by(distributions)) + IMPORT_ALL
    return subprocess.run([sys.executable, "-c", code, *rooms], capture_output=True, text=True, check=False)


def test_rooms_of_the_base_install_import_no_other_package() -> None:
    others = locked("serving", "building", "lab", "development")
    report = import_without(others, [f"xmirad.{room}" for room in BASE_ROOMS])
    assert report.returncode == 0, report.stderr


def test_the_service_imports_no_package_of_model_building() -> None:
    report = import_without(locked("building", "lab", "development"), ["xmirad_services"])
    assert report.returncode == 0, report.stderr


def test_a_room_that_needs_a_server_package_is_found() -> None:
    report = import_without(locked("serving"), ["xmirad.blobs"])
    assert "fsspec is not in this install" in report.stderr


def test_the_doctor_of_a_base_install_skips_what_it_has_no_package_for(tmp_path: Path) -> None:
    code = BLOCK.format(blocked=blocked_by(locked("serving", "building", "lab", "development"))) + DIAGNOSE
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XMIRAD_")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    states: dict[str, str] = json.loads(done.stdout)
    skipped = {name for name, state in states.items() if state == "skipped"}
    assert {"model", "broker", "archives"} <= skipped
    assert not {"settings", "home", "service"} & skipped
    assert {name for name, state in states.items() if state == "failed"} <= {"service", "disk (home, store, blobs)"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def bare_python(tmp_path: Path, wheel: Path) -> Callable[..., str]:
    def install(*sets: str) -> str:
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
        files = [part for name in sets for part in ("-r", str(ROOT / "requirements" / f"{name}.txt"))]
        pip = [str(tmp_path / "venv" / "bin" / "pip"), "install", "-qq", "--no-deps", *files, str(wheel)]
        report = subprocess.run(pip, capture_output=True, text=True, check=False)
        if report.returncode != 0:
            pytest.skip(f"pip cannot install the locked set {', '.join(sets)}: {report.stderr.strip()[-300:]}")
        return str(tmp_path / "venv" / "bin" / "python")

    return install


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_bare_environment_with_the_base_install_runs_clients(bare_python: Callable[..., str]) -> None:
    python = bare_python("client")
    report = subprocess.run(
        [python, "-I", "-c", IMPORT_ALL, *(f"xmirad.{room}" for room in BASE_ROOMS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 0, report.stderr
    subprocess.run([Path(python).with_name("xmirad"), "--help"], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_service_without_torch_indexes_and_searches(bare_python: Callable[..., str], tmp_path: Path) -> None:
    python = bare_python("client", "serving")
    assert subprocess.run([python, "-I", "-c", "import torch"], capture_output=True, check=False).returncode != 0
    with live_service(tmp_path / "home") as service:
        service.python = python
        with service.start() as client:
            client.create_archive("bare")
            receipt = client.create_item("bare", Upload(image=png(0), correlation_id="first"))
            response = client.search("bare", png(0), top_k=1)
    assert [result.item for result in response.results] == [receipt.item]
