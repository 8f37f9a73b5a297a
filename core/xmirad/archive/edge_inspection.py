"""Looks at embedded archives without opening a shard, which belongs to the process that serves it."""

import json
from pathlib import Path
from typing import Any

from xmirad.archive.edge_folder import POINTER, SHARD, ArchiveFolder
from xmirad.archive.inspection import InspectedArchive
from xmirad.errors import ArchiveNotReadyError, InvalidRequestError

CONFIG = "edge_config.json"
SEGMENTS = "segments"


def inspect_folder(folder: Path) -> list[InspectedArchive]:
    """Return what lies in a store's folder, by id; of a folder that is not there, nothing."""
    return [_inspected(folder, pointer.parent.name) for pointer in sorted(folder.glob(f"*/{POINTER}"))]


def _inspected(store: Path, archive: str) -> InspectedArchive:
    try:
        folder = ArchiveFolder(store, archive)
        version = folder.current()
        if version is None:
            return InspectedArchive(archive, problem="its pointer is gone")
        if version.parent != folder.path or not version.is_dir():
            return InspectedArchive(archive, problem="its pointer names a version that is not there")
        binding = folder.binding(version)
    except (InvalidRequestError, ArchiveNotReadyError) as error:
        return InspectedArchive(archive, problem=error.message)
    shard = version / SHARD
    if not (shard / SEGMENTS).is_dir():
        return InspectedArchive(archive, binding, problem="its shard is incomplete")
    vectors = _vectors(shard)
    size = vectors.get("size")
    return InspectedArchive(
        archive,
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
