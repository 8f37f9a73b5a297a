"""What the serving images are made of, by the locked sets that the Dockerfile installs."""

import re
from importlib.metadata import distribution
from pathlib import Path

from support.compose import DOCKERFILE
from support.project import ROOT

MOST_BYTES = 700 * 1000 * 1000


def pinned(*sets: str) -> list[str]:
    lines = [line for name in sets for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()]
    return [match[1] for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)==", line))]


def installed_bytes(name: str) -> int:
    """Return the size of a distribution's files, compiled ones left out: containers do not write them."""
    found = distribution(name)
    files = [Path(str(found.locate_file(file))) for file in found.files or ()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())


def test_the_packages_of_a_serving_image_stay_below_700_megabytes() -> None:
    sizes = {name: installed_bytes(name) for name in pinned("client", "serving")}

    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:5]
    assert sum(sizes.values()) < MOST_BYTES, largest
    assert min(sizes.values()) > 0


def test_a_serving_image_has_no_torch() -> None:
    assert not {"torch", "torchvision", "timm", "triton"} & set(pinned("client", "serving", "monitoring"))
    assert not [name for name in pinned("client", "serving", "monitoring") if name.startswith("nvidia")]
    stages = re.split(r"(?m)^FROM ", DOCKERFILE.read_text())
    with_torch = [
        stage.split("\n")[0] for stage in stages if "building.txt" in stage and "requirements/building" in stage
    ]
    assert with_torch == ["built AS built-torch"]
