"""What tasks carry: names and parameters as JSON, never pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName

FILL = "xmirad.fill"
ASSESS = "xmirad.assess"
INDEX = "xmirad.index"


@dataclass(frozen=True, slots=True)
class FillTask:
    """Compute a chunk of a cache entry.

    Attributes:
        entry: The entry.
        chunk: Number of the chunk.
        queue: Where it waits.
    """

    entry: OcclusionEntry
    chunk: int
    queue: QueueName

    @property
    def key(self) -> str:
        """What makes two tasks the same work, wherever they wait."""
        return f"{self.entry.location}{self.chunk}"

    def to_document(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"entry": self.entry.to_document(), "chunk": self.chunk, "queue": self.queue.value}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "FillTask":
        """Read what `to_document` returned.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field of the entry is unknown or missing.
            ValueError: If a word is unknown.
        """
        entry = OcclusionEntry.from_document(document["entry"])
        return cls(entry, int(document["chunk"]), QueueName(document["queue"]))


@dataclass(frozen=True, slots=True)
class AssessTask:
    """Compute the fidelity of an explanation's maps.

    Attributes:
        explanation: Its id.
        attempt: Which attempt at it.
    """

    explanation: str
    attempt: int

    @property
    def key(self) -> str:
        """What makes two tasks the same work."""
        return f"assess/{self.explanation}/{self.attempt}"

    def to_document(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"explanation": self.explanation, "attempt": self.attempt}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "AssessTask":
        """Read what `to_document` returned.

        Raises:
            KeyError: If a field is missing.
        """
        return cls(str(document["explanation"]), int(document["attempt"]))


@dataclass(frozen=True, slots=True)
class ImportTask:
    """Go on with an import.

    Attributes:
        archive: Id of the archive, for people.
        creation: Which archive of that id it is.
        number: Which import into it.
        segment: Which of its segments; None means to look into the folder first.
    """

    archive: str
    creation: str
    number: int
    segment: int | None

    @property
    def key(self) -> str:
        """What makes two tasks the same work."""
        segment = "plan" if self.segment is None else self.segment
        return f"import/{self.archive}/{self.creation}/{self.number}/{segment}"

    def to_document(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"archive": self.archive, "creation": self.creation, "number": self.number, "segment": self.segment}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ImportTask":
        """Read what `to_document` returned.

        Raises:
            KeyError: If a field is missing.
        """
        segment = document["segment"]
        archive, creation = str(document["archive"]), str(document["creation"])
        return cls(archive, creation, int(document["number"]), None if segment is None else int(segment))
