"""Counts what becomes of the images of a data set."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from xmirad.client.types import UploadReceipt
from xmirad.datasets.dataset import DatasetItem, Unreadable
from xmirad.datasets.duplicates import DuplicateGroup
from xmirad.errors import XmiradError
from xmirad.types import UploadState

FILE_UNREADABLE = "FILE_UNREADABLE"


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that was not stored.

    Attributes:
        path: The file, as the data set names it.
        reason: The stable word for programs.
        message: A sentence for people.
        field: The field at fault, or an empty string.
    """

    path: str
    reason: str
    message: str
    field: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """What became of the images of a data set.

    Attributes:
        total: How many images there should be.
        created: How many are new.
        updated: How many were there with other attributes.
        unchanged: How many were there just so, found out by decoding them.
        skipped: How many were there just so, found out without.
        failed: How many were not stored.
        failures: Those that were not stored, or the first of them.
        duplicates: A line for each group of images that are there under several ids.
    """

    total: int
    created: int
    updated: int
    unchanged: int
    skipped: int
    failed: int
    failures: Sequence[Failure]
    duplicates: Sequence[str]

    @property
    def stored(self) -> int:
        """How many images are there now."""
        return self.created + self.updated + self.unchanged + self.skipped


@dataclass(slots=True)
class Tally:
    """What became of the images so far.

    Attributes:
        items: The images, in the data set's order.
        unreadable: What the data set's reader could not read; it counts as failed.
        created: How many are new.
        updated: How many were there with other attributes.
        unchanged: How many were there just so, found out by sending them.
        skipped: How many were there just so, found out by asking.
        failures: Those that were not stored.
    """

    items: Sequence[DatasetItem]
    unreadable: Sequence[Unreadable] = ()
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    failures: list[Failure] = field(default_factory=list)
    _settled: set[int] = field(default_factory=set)
    _numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Count what could not be read."""
        self.failures += [Failure(str(each.path), FILE_UNREADABLE, each.why, "path") for each in self.unreadable]

    @property
    def total(self) -> int:
        """How many images there should be."""
        return len(self.items) + len(self.unreadable)

    @property
    def done(self) -> int:
        """How many images are settled."""
        return len(self._settled)

    @property
    def waiting(self) -> list[int]:
        """Numbers of the images that are not settled."""
        return [number for number in range(len(self.items)) if number not in self._settled]

    def stored(self, number: int, receipt: UploadReceipt) -> None:
        """Note that an image was sent and is stored."""
        match receipt.state:
            case UploadState.CREATED:
                self.created += 1
            case UploadState.UPDATED:
                self.updated += 1
            case _:
                self.unchanged += 1
        self._settle(number, receipt.image_digest)

    def present(self, number: int, image_digest: str) -> None:
        """Note that an image need not be sent."""
        self.skipped += 1
        self._settle(number, image_digest)

    def failed(self, number: int, error: XmiradError) -> None:
        """Note that an image was not stored."""
        path = str(self.items[number].path)
        self.failures.append(Failure(path, error.reason, error.message, error.field))
        self._settled.add(number)

    def indexed(self) -> Indexed:
        """Return what became of the images."""
        groups = [
            DuplicateGroup(digest, tuple(self.items[number] for number in sorted(numbers)))
            for digest, numbers in self._numbers.items()
            if len(numbers) > 1
        ]
        return Indexed(
            self.total,
            self.created,
            self.updated,
            self.unchanged,
            self.skipped,
            len(self.failures),
            self.failures,
            [str(group) for group in groups],
        )

    def _settle(self, number: int, image_digest: str) -> None:
        self._settled.add(number)
        self._numbers[image_digest].append(number)
