"""What a store says of its archives to somebody who only looks."""

from dataclasses import dataclass

from xmirad.archive.port import ArchiveBinding

DISTANCE = "dot"
"""The distance that archives are made with: stored embeddings are unit vectors, so it is the cosine."""


@dataclass(frozen=True, slots=True)
class InspectedArchive:
    """An archive as it lies in a store.

    Attributes:
        creation: The id of the archive's creation.
        binding: What it is bound to; None if it does not say.
        embedding_size: Length of the vectors that it takes; None if it does not say.
        distance: By what they are compared, in lower case; empty if it does not say.
        unindexed: Payload fields that lack their index, sorted.
        problem: What makes it unusable as a whole, or an empty string.
    """

    creation: str
    binding: ArchiveBinding | None = None
    embedding_size: int | None = None
    distance: str = ""
    unindexed: tuple[str, ...] = ()
    problem: str = ""
