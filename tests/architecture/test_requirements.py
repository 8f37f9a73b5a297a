import re
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.project import ROOT, configuration

SETS = ("client", "serving", "monitoring", "building", "lab", "development")
PYTHONS: list[dict[str, str]] = [{}, {"python_full_version": "3.11.0"}]
PIN = re.compile(r"[a-z0-9][a-z0-9.-]*==[A-Za-z0-9.!+]+")


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("name", SETS)
def test_a_locked_set_holds_exact_versions_and_nothing_else(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    assert [line for line in lines[1:] if not PIN.fullmatch(line)] == []


def test_no_package_is_locked_twice() -> None:
    names = [package for name in SETS for package in pins(name)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("extra", "sets"),
    [
        ("", ["client"]),
        ("server", ["client", "serving"]),
        ("dicom", ["client", "serving"]),
        ("monitoring", ["client", "serving", "monitoring"]),
        ("train", ["client", "serving", "building"]),
        ("lab", ["client", "serving", "building", "lab"]),
        ("dev", list(SETS)),
    ],
)
def test_every_declared_dependency_is_locked_within_its_bounds(extra: str, sets: list[str]) -> None:
    locked = {package: version for name in sets for package, version in pins(name).items()}
    project = configuration()["project"]
    declared = project["optional-dependencies"][extra] if extra else project["dependencies"]
    for line in declared:
        needed = Requirement(line)
        if needed.name != project["name"]:
            assert needed.specifier.contains(locked[canonicalize_name(needed.name)]), line


def test_the_serving_sets_hold_no_torch() -> None:
    assert not {"torch", "torchvision", "timm", "triton"} & {*pins("client"), *pins("serving")}


def test_the_sets_are_closed() -> None:
    locked = {package for name in SETS for package in pins(name)}
    for package in locked:
        for line in requires(package) or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": "", **python}) for python in PYTHONS):
                assert canonicalize_name(needed.name) in locked, f"{package} needs {line}"
