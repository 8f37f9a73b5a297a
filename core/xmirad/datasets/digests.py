"""What a data set is, in one number: equal digests mean equal identifiers, files and labels."""

from collections.abc import Iterable
from dataclasses import dataclass

from xmirad.datasets.dataset import DatasetItem
from xmirad.ids import canonical_digest, frame_digest
from xmirad.regular_files import file_digest


@dataclass(frozen=True, slots=True)
class IdentifiedItem:
    """An item with the digest of its file.

    Attributes:
        item: The item.
        image_digest: SHA-256 of the file, hexadecimal; of file and frame number where a frame is chosen.
    """

    item: DatasetItem
    image_digest: str

    @property
    def key(self) -> str:
        """What identifies the item within its data set: its external id, else its image digest."""
        return self.item.external_id or self.image_digest


def identified(item: DatasetItem) -> IdentifiedItem:
    """Read an item's file.

    Raises:
        OSError: If it cannot be read.
    """
    return IdentifiedItem(item, image_digest_of(item))


def image_digest_of(item: DatasetItem) -> str:
    """Return the SHA-256 of an item's file, and of the frame if one is chosen; a file of any size takes no memory.

    Raises:
        OSError: If it cannot be read.
    """
    return frame_digest(file_digest(item.path), item.frame)


def data_digest(items: Iterable[IdentifiedItem]) -> str:
    """Return the SHA-256 over key, image digest and labels of every item, in any order, in hexadecimal."""
    return canonical_digest(
        sorted([each.key, each.image_digest, sorted(each.item.attributes.labels)] for each in items)
    )
