"""What an archive holds and what every store of archives can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from xmirad.archive.conditions import Condition, PayloadField
from xmirad.errors import ArchiveNotFoundError, XmiradError
from xmirad.types import Float32Array, ItemAttributes


@dataclass(frozen=True, slots=True)
class ItemPayload:
    """What is kept beside an item's embedding; nothing here identifies a person.

    Attributes:
        site: The site that the item belongs to.
        image_digest: SHA-256 of the image, hexadecimal.
        attributes: What is known of the image.
        patient: Key of the item's patient, else of its study, else of itself; never empty.
        patient_known: True if `patient` is the key of a patient.
    """

    site: str
    image_digest: str
    attributes: ItemAttributes
    patient: str
    patient_known: bool

    def __post_init__(self) -> None:
        """Refuse an item without site or patient key: it would escape its tenant, or grouping by patient."""
        if not self.site or not self.patient:
            raise ValueError("an item needs a site and a patient key")


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as stored.

    Attributes:
        item: The item's UUID in canonical text.
        payload: What is known of it.
        embedding: Unit vector, float32 `[embedding_size]`; None where it was not asked for.
        revision: Of the item's record, as the catalog counts them.
    """

    item: str
    payload: ItemPayload
    embedding: Float32Array | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """An item that a query found.

    Attributes:
        item: The item's UUID in canonical text.
        score: Cosine similarity to the query, -1 to 1.
        payload: What is known of it; None where it was not asked for.
    """

    item: str
    score: float
    payload: ItemPayload | None = None


@dataclass(frozen=True, slots=True)
class ArchiveBinding:
    """What an archive is bound to for good.

    Attributes:
        archive: The archive's id.
        creation: The id of the archive's creation; one of the same name that was deleted had another one.
        model_digest: Digest of the model that every embedding comes from.
        embedding_size: Length of an embedding.
        site_key_fingerprint: Fingerprint of the site key that patients are hashed with.
    """

    archive: str
    creation: str
    model_digest: str
    embedding_size: int
    site_key_fingerprint: str


DAMAGED = "DAMAGED"
"""`metadata["cause"]` of an error that says that an archive's part in the store is of no use any more."""


def is_damage(error: XmiradError) -> bool:
    """Return whether an error means that an archive's part in the store is gone or damaged, so must be made again."""
    return isinstance(error, ArchiveNotFoundError) or error.metadata.get("cause") == DAMAGED


class ReadableArchive(Protocol):
    """The items of an archive, for reading.

    Every method raises `BackendUnavailableError` if the store does not answer, and `ArchiveNotFoundError` or
    `ArchiveNotReadyError` if the archive has been dropped or closed meanwhile.
    """

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        """Return items in the order of asking; those that do not exist are left out."""
        ...

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        """Return a page of at most `limit` items in the order of their ids, beginning behind the id `after`."""
        ...

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        """Count the items of every value of a field, exactly; booleans are `true` and `false`."""
        ...

    def count(self, where: Condition | None = None) -> int:
        """Count items exactly."""
        ...


class SearchableArchive(ReadableArchive, Protocol):
    """One open archive, for searching."""

    @property
    def binding(self) -> ArchiveBinding:
        """What the archive is bound to."""
        ...

    @property
    def always_exact(self) -> bool:
        """True if every query is compared with every item, asked for or not."""
        ...

    def query(
        self,
        embedding: Float32Array,
        *,
        top_k: int,
        where: Condition | None = None,
        exact: bool = False,
        with_payload: bool = True,
    ) -> list[ScoredItem]:
        """Return the `top_k` items with the highest scores, best first; the order of equal scores is undefined.

        Raises:
            InvalidRequestError: If the embedding is not of the archive's size, not finite or zero.
        """
        ...


class Archive(SearchableArchive, Protocol):
    """One open archive.

    Writes are durable against the death of the process when a method returns, and against the loss of power after
    `flush`.
    """

    def upsert(self, items: Sequence[StoredItem]) -> None:
        """Store items; one that is there is replaced. All are checked before the first is written.

        Raises:
            EmbeddingCorruptError: If an embedding is missing, of another size, not finite or no unit vector.
        """
        ...

    def revisions(self, *, after: str | None, limit: int) -> list[tuple[str, int]]:
        """Return a page of ids and revisions of items, in the order of ids, beginning behind the id `after`."""
        ...

    def delete(self, items: Sequence[str]) -> None:
        """Delete items; those that do not exist are passed over."""
        ...

    def flush(self) -> None:
        """Make what was written survive a loss of power."""
        ...

    def close(self) -> None:
        """Release the archive. Closing twice is harmless."""
        ...


class OptimizableArchive(Archive, Protocol):
    """An archive whose graph or codes are made by calling it."""

    def optimize(self) -> None:
        """Make the graph or the codes."""
        ...


class Beside(Protocol):
    """Makes an archive beside the one that is used, and puts it in its place."""

    def create_beside(self, binding: ArchiveBinding) -> OptimizableArchive:
        """Create an empty one with the index of the settings. Another process than the store's owner may do it."""
        ...

    def open_beside(self, binding: ArchiveBinding) -> Archive:
        """Open the one beside.

        Raises:
            ArchiveNotFoundError: If there is none.
            BackendUnavailableError: If it cannot be opened.
        """
        ...

    def take_beside(self, binding: ArchiveBinding) -> Archive:
        """Put the one beside in the place of the archive, which may not be used any more, and return it."""
        ...


class ArchiveStore(Protocol):
    """Where archives are kept."""

    @property
    def kind(self) -> str:
        """`edge` or `qdrant`."""
        ...

    @property
    def beside(self) -> Beside | None:
        """What makes graphs or codes, if the settings ask for some and the store does not make them by itself."""
        ...

    def create(self, binding: ArchiveBinding) -> Archive:
        """Create an archive, or open the one that is there with the same binding.

        Raises:
            ModelMismatchError: If it is there and bound to another model.
            SiteKeyMismatchError: If it is there and bound to another site key.
            ArchiveNotReadyError: If another process has it open.
            BackendUnavailableError: If the store does not answer.
        """
        ...

    def open(self, binding: ArchiveBinding) -> Archive:
        """Open an archive.

        Raises:
            ArchiveNotFoundError: If the store does not hold that creation.
            ModelMismatchError: If it is bound to another model.
            SiteKeyMismatchError: If it is bound to another site key.
            ArchiveNotReadyError: If another process has it open.
            BackendUnavailableError: If the store does not answer.
        """
        ...

    def list(self) -> list[str]:
        """Return the creations of all archives, sorted."""
        ...

    def drop(self, archive: str, creation: str) -> None:
        """Delete a creation of an archive with all its items; one that does not exist is passed over.

        Raises:
            ArchiveNotReadyError: If another process has it open.
        """
        ...

    def reset(self, binding: ArchiveBinding) -> Archive:
        """Replace an archive, whatever became of it, by an empty one, and return it.

        An archive that was opened before may not be used any more.

        Raises:
            ArchiveNotReadyError: If another process has it open.
            BackendUnavailableError: If the store does not answer.
        """
        ...

    def ping(self) -> None:
        """Check that the store answers.

        Raises:
            BackendUnavailableError: If it does not.
        """
        ...

    def close(self) -> None:
        """Close every archive and release the store. Closing twice is harmless."""
        ...
