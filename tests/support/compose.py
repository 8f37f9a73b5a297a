"""docker-compose.yml and the Dockerfile, as tests see them."""

import json
import re
from typing import Any

import yaml

from support.project import ROOT

FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
PROFILES = ("demo", "observability", "gpu", "models")


def compose() -> dict[str, Any]:
    """Return the file with its anchors followed and nothing filled in."""
    document: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return document


def services() -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def is_one_shot(service: dict[str, Any]) -> bool:
    """Return whether a service is to end by itself."""
    return bool(service["restart"] == "no")


def image_instructions(target: str) -> dict[str, list[str]]:
    """Return CMD and HEALTHCHECK of a target of the Dockerfile, as lists of words."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    stage = next(part for part in re.split(r"(?m)^FROM ", text) if part.split("\n")[0].endswith(f" AS {target}"))
    found = {}
    if health := re.search(r"(?m)^HEALTHCHECK .*?CMD (\[.*\])", stage):
        found["health"] = json.loads(health[1])
    if command := re.search(r"(?m)^CMD (\[.*\])", stage):
        found["command"] = json.loads(command[1])
    return found
