"""Looks at the collections behind the archives of a Qdrant server."""

from qdrant_client import QdrantClient, models

from xmirad.archive import binding as bindings
from xmirad.archive.conditions import PayloadField
from xmirad.archive.inspection import InspectedArchive
from xmirad.errors import ArchiveNotReadyError


def inspect_collection(client: QdrantClient, creation: str, name: str) -> InspectedArchive:
    """Return what a collection says of itself.

    Args:
        client: The server.
        creation: The id of the archive's creation.
        name: Name of the collection.
    """
    info = client.get_collection(name)
    try:
        binding = bindings.from_json(creation, info.config.metadata or {})
    except ArchiveNotReadyError as error:
        return InspectedArchive(creation, problem=error.message)
    vectors = info.config.params.vectors
    if not isinstance(vectors, models.VectorParams):
        return InspectedArchive(creation, binding, problem="its collection was not made by this software")
    return InspectedArchive(
        creation,
        binding,
        embedding_size=vectors.size,
        distance=vectors.distance.value.lower(),
        unindexed=tuple(sorted(set(PayloadField) - set(info.payload_schema))),
    )
