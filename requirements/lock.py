"""Write the locked requirement sets from what is installed in this environment (`make lock`).

To change a dependency: edit `pyproject.toml`, install it (`.venv/bin/pip install -e '.[all]'`), run `make lock`.
Each set is the closure of one group of requirements, less what the sets before it hold. The sets are for CPython 3.11,
3.12 and 3.13 on Linux x86-64: what only one of them needs is in them for all, which pip installs without harm.
"""

from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parent
OTHER_PYTHONS = (
    {"python_version": "3.11", "python_full_version": "3.11.0"},
    {"python_version": "3.12", "python_full_version": "3.12.0"},
    {"python_version": "3.13", "python_full_version": "3.13.0"},
)
"""The sets serve every release of these versions; early patch releases need packages that later ones do without."""
SETS = {
    "client": ("The base install: client, command line, metrics, evaluation.", ""),
    "serving": ("The retrieval service. No torch.", "server"),
    "monitoring": ("Flower.", "monitoring"),
    "building": ("Model building and training.", "train"),
    "lab": ("Charts and figures.", "lab"),
    "development": ("Checks and tests.", "dev"),
}


def main() -> None:
    """Write every set."""
    locked: set[str] = set()
    for name, (purpose, extra) in SETS.items():
        added = closure("xmirad", {extra}) - locked - {"xmirad"}
        locked |= added
        (FOLDER / f"{name}.txt").write_text(f"# {purpose} Written by `make lock`.\n" + "".join(pins(added)))


def closure(package: str, extras: Iterable[str]) -> set[str]:
    """Return the canonical names of a package and of all that it needs with the given extras."""
    waiting = [(canonicalize_name(package), extra) for extra in {"", *extras}]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for needed in direct_requirements(name, extra):
            pairs = {(canonicalize_name(needed.name), wanted) for wanted in {"", *needed.extras}} - seen
            seen |= pairs
            waiting.extend(pairs)
    return {name for name, _ in seen}


def direct_requirements(name: str, extra: str) -> list[Requirement]:
    """Return what an installed package needs on this platform with one extra, or with none."""
    requirements = [Requirement(line) for line in distribution(name).requires or ()]
    pythons = [{"extra": extra, **python} for python in ({}, *OTHER_PYTHONS)]
    return [
        needed
        for needed in requirements
        if needed.marker is None or any(needed.marker.evaluate(python) for python in pythons)
    ]


def pins(names: Iterable[str]) -> list[str]:
    """Return one sorted line with the installed version for each name."""
    return [f"{name}=={distribution(name).version}\n" for name in sorted(names)]


if __name__ == "__main__":
    main()
