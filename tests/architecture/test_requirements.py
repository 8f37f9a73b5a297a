import re
from importlib.metadata import metadata, requires

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from support.project import ROOT, configuration

SETS = ("client", "serving", "monitoring", "building", "lab", "development")
VERSIONS = ("3.11", "3.12", "3.13")
PYTHONS: list[dict[str, str]] = [
    {},
    *({"python_version": version, "python_full_version": f"{version}.0"} for version in VERSIONS),
]
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


def test_every_version_of_python_that_is_supported_is_said_to_be() -> None:
    project = configuration()["project"]
    prefix = "Programming Language :: Python :: 3."
    declared = [line.removeprefix(prefix) for line in project["classifiers"] if line.startswith(prefix)]
    assert tuple(f"3.{minor}" for minor in declared) == VERSIONS
    assert project["requires-python"] == f">={VERSIONS[0]}"
    said = f"Python {', '.join(VERSIONS[:-1])} or {VERSIONS[-1]}"
    for page in ("README.md", "CONTRIBUTING.md"):
        assert said in (ROOT / page).read_text("utf-8")


def test_every_locked_package_admits_every_version_of_python() -> None:
    for name in SETS:
        for package in pins(name):
            admitted = SpecifierSet(str(metadata(package).json.get("requires_python", "")))
            assert [version for version in VERSIONS if f"{version}.1" not in admitted] == [], package
