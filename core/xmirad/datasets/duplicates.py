"""Byte-identical images of a data set, which flatter every retrieval figure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from xmirad.datasets.dataset import DatasetItem
from xmirad.regular_files import file_digest


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Items whose files are byte for byte the same.

    Attributes:
        image_digest: SHA-256 of the file, hexadecimal.
        items: The items, at least two, in the data set's order; of a file with several frames all of the same frame.
    """

    image_digest: str
    items: tuple[DatasetItem, ...]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the copies are in, sorted."""
        return tuple(sorted({item.attributes.split for item in self.items}))

    @property
    def label_sets(self) -> tuple[tuple[str, ...], ...]:
        """The different sets of labels that the copies carry, sorted."""
        return tuple(sorted({tuple(sorted(item.attributes.labels)) for item in self.items}))

    def __str__(self) -> str:
        """Return one readable line."""
        names = ", ".join(
            f"{item.attributes.split}/{item.path.name}" if item.attributes.split else item.path.name
            for item in self.items
        )
        notes = []
        if len(self.splits) > 1:
            notes.append("ACROSS SPLITS")
        if len(self.label_sets) > 1:
            notes.append("with different labels")
        return f"{len(self.items)} identical files {' '.join(notes)}".rstrip() + f": {names}"


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """What is there more than once.

    Attributes:
        item_count: How many items were compared.
        groups: Byte-identical items, in the data set's order.
    """

    item_count: int
    groups: tuple[DuplicateGroup, ...]

    @property
    def across_splits(self) -> tuple[DuplicateGroup, ...]:
        """The groups whose copies are in more than one split."""
        return tuple(group for group in self.groups if len(group.splits) > 1)

    @property
    def conflicting(self) -> tuple[DuplicateGroup, ...]:
        """The groups whose copies carry different labels."""
        return tuple(group for group in self.groups if len(group.label_sets) > 1)

    def lines(self) -> list[str]:
        """Return the report as readable lines; empty if nothing is there twice."""
        return [str(group) for group in self.groups]


def duplicates(items: Iterable[DatasetItem]) -> DuplicateReport:
    """Find the items whose files are byte for byte the same. Reads the files that have as many bytes as another, once.

    A copy that was scaled or encoded again is not found.

    Raises:
        OSError: If a file cannot be read.
    """
    compared = list(items)
    paths = {item.path: item.path.stat().st_size for item in compared}
    sizes = Counter(paths.values())
    digests = {path: file_digest(path) for path, size in paths.items() if sizes[size] > 1}
    by_image: dict[tuple[str, int | None], list[DatasetItem]] = defaultdict(list)
    for item in compared:
        if item.path in digests:
            by_image[digests[item.path], item.frame].append(item)
    groups = tuple(DuplicateGroup(digest, tuple(same)) for (digest, _), same in by_image.items() if len(same) > 1)
    return DuplicateReport(item_count=len(compared), groups=groups)
