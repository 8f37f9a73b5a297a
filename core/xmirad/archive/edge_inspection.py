"""Looks at embedded archives without opening a shard, which belongs to the process that serves it."""

import json
from pathlib import Path
from typing import Any

from xmirad.archive.edge_folder import SHARD, creations, read_binding
from xmirad.archive.inspection import InspectedArchive
from xmirad.errors import ArchiveNotReadyError

CONFIG = "edge_config.json"
SEGMENTS = "segments"


def inspect_folder(folder: Path) -> list[InspectedArchive]:
    """Return what lies in a store's folder, by creation; of a folder that is not there, nothing."""
    return [_inspected(folder / creation) for creation in creations(folder)]


def _inspected(folder: Path) -> InspectedArchive:
    creation = folder.name
    try:
        binding = read_binding(folder)
    except ArchiveNotReadyError as error:
        return InspectedArchive(creation, problem=error.message)
    shard = folder / SHARD
    if not (shard / SEGMENTS).is_dir():
        return InspectedArchive(creation, binding, problem="its shard is incomplete")
    vectors = _vectors(shard)
    size = vectors.get("size")
    return InspectedArchive(
        creation,
        binding,
        embedding_size=size if isinstance(size, int) else None,
        distance=str(vectors.get("distance", "")).lower(),
    )


def _vectors(shard: Path) -> dict[str, Any]:
    try:
        vectors = json.loads((shard / CONFIG).read_text("utf-8"))["vectors"][""]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return vectors if isinstance(vectors, dict) else {}
