"""What is kept of an import, and how far it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xmirad.datasets.selection import FrameChoice
from xmirad.errors import InvalidImageError, XmiradError
from xmirad.ids import import_name
from xmirad.types import ImportState, UploadState

MOST_FAILURES = 1_000
"""Failures beyond this many are counted only."""
MOST_SEGMENTS = 16
SEGMENT_IMAGES = 64
"""Fewer images than this are not worth another worker."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What was asked for: a folder that the service knows by an alias, or a data set of the home's owner by its path.

    Attributes:
        archive: Id of the archive to fill.
        site: The site of the archive.
        folder: Alias of the folder, or an empty string.
        path: Absolute path of the data set, or an empty string.
        layout: How it lies there, or an empty string: it is detected.
        split: Split of the data set, or an empty string.
        full_list: Whether the full test list of ISIC 2017 is read instead of the balanced one.
        include: If there are any, only files that match one of these patterns are stored.
        exclude: Files that match one of these are not.
        images: Absolute path of the folder of the images, or an empty string: where the layout has them.
        skip_missing: Whether files that a list names and that are not there count as failed, instead of ending it all.
        frames: Which frames of a DICOM file are stored if none is named.
        restore_deleted: Whether images are stored even though they were deleted before.
        resend: Whether images that are there just so are decoded and stored again.
        creation: Which archive of that id it is.
        number: Which import into the archive it is, from 1.
        create_time: In seconds since 1970.
    """

    archive: str
    site: str
    folder: str = ""
    path: str = ""
    layout: str = ""
    split: str = ""
    full_list: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    images: str = ""
    skip_missing: bool = False
    frames: str = FrameChoice.ALL
    restore_deleted: bool = False
    resend: bool = False
    creation: str = ""
    number: int = 0
    create_time: float = 0.0

    @property
    def name(self) -> str:
        """The resource name."""
        return import_name(self.archive, self.number)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What was found in the folder.

    Attributes:
        total: Number of images.
        segments: How many workers may share the work.
        listing: Digest of which images they are, in their order.
        warnings: What the reader noticed and went on.
        unreadable: How many files and folders the reader could not read, beside the images.
        first_unreadable: Path relative to the folder and reason of the first of those.
    """

    total: int
    segments: int
    listing: str
    warnings: tuple[str, ...] = ()
    unreadable: int = 0
    first_unreadable: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, total: int, *, listing: str, warnings: Iterable[str], unreadable: Sequence[tuple[str, str]] = ()
    ) -> "ImportPlan":
        """Return a plan for so many images, and paths that cannot be read with the reasons."""
        segments = min(MOST_SEGMENTS, max(1, total // SEGMENT_IMAGES))
        return cls(total, segments, listing, tuple(warnings), len(unreadable), tuple(unreadable[:MOST_FAILURES]))

    def bounds(self, segment: int) -> tuple[int, int]:
        """Return the first image of a segment and the one behind its last."""
        return self.total * segment // self.segments, self.total * (segment + 1) // self.segments


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """An image that was not stored.

    Attributes:
        path: The file, relative to the folder.
        error: Why it was not.
    """

    path: str
    error: XmiradError


@dataclass(frozen=True, slots=True)
class ImportPart:
    """What became of some images in a row.

    Attributes:
        segment: Their segment.
        first: Number of the first.
        end: Number behind the last.
        created: How many are new.
        updated: How many were there with other attributes.
        unchanged: How many were there just so.
        failed: How many were not stored.
        failures: The first of those.
    """

    segment: int
    first: int
    end: int
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    failures: tuple[ImportFailure, ...] = ()

    @classmethod
    def of(cls, segment: int, first: int, outcomes: Sequence["UploadState | ImportFailure"]) -> "ImportPart":
        """Count the outcomes of images in a row."""
        failures = tuple(outcome for outcome in outcomes if isinstance(outcome, ImportFailure))
        return cls(
            segment,
            first,
            first + len(outcomes),
            created=sum(outcome is UploadState.CREATED for outcome in outcomes),
            updated=sum(outcome is UploadState.UPDATED for outcome in outcomes),
            unchanged=sum(outcome is UploadState.UNCHANGED for outcome in outcomes),
            failed=len(failures),
            failures=failures[:MOST_FAILURES],
        )


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """How an import ended.

    Attributes:
        state: A terminal state.
        finish_time: In seconds since 1970.
        error: Why it failed, or None.
    """

    state: ImportState
    finish_time: float
    error: XmiradError | None = None


@dataclass(frozen=True, slots=True)
class ImportSnapshot:
    """An import at one moment.

    Attributes:
        request: What was asked for.
        plan: What is in the folder, or None if nobody has looked yet.
        parts: What was done, in order, without gaps within a segment.
        outcome: How it ended, or None.
    """

    request: ImportRequest
    plan: ImportPlan | None = None
    parts: tuple[ImportPart, ...] = ()
    outcome: ImportOutcome | None = None
    failures: tuple[ImportFailure, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the first failures."""
        named = self.plan.first_unreadable if self.plan else ()
        failures = [ImportFailure(path, InvalidImageError(f"the entry {why}")) for path, why in named]
        failures += [failure for part in self.parts for failure in part.failures]
        object.__setattr__(self, "failures", tuple(failures[:MOST_FAILURES]))

    @property
    def state(self) -> ImportState:
        """How far it is."""
        if self.outcome is not None:
            return self.outcome.state
        return ImportState.QUEUED if self.plan is None else ImportState.RUNNING

    @property
    def done(self) -> int:
        """How many images are settled."""
        return sum(part.end - part.first for part in self.parts)

    @property
    def waiting(self) -> int:
        """How many images were found and are not settled; none once it has ended."""
        return 0 if self.plan is None or self.state.is_terminal else self.plan.total - self.done

    @property
    def failed(self) -> int:
        """How many images were not stored."""
        unreadable = self.plan.unreadable if self.plan else 0
        return unreadable + sum(part.failed for part in self.parts)

    @property
    def total(self) -> int:
        """How many images there should be; 0 if nobody has looked yet."""
        return self.plan.total + self.plan.unreadable if self.plan else 0

    def position(self, segment: int) -> int:
        """Return the number of the first image of a segment that is not settled.

        Raises:
            ValueError: If there is no plan yet.
        """
        if self.plan is None:
            raise ValueError("an import without a plan has no segments")
        return max([self.plan.bounds(segment)[0], *(part.end for part in self.parts if part.segment == segment)])

    def unfinished(self) -> list[int]:
        """Return the segments with images that are not settled."""
        if self.plan is None:
            return []
        return [n for n in range(self.plan.segments) if self.position(n) < self.plan.bounds(n)[1]]


@dataclass(frozen=True, slots=True)
class ImportFigures:
    """How the latest imports of all archives are, together.

    Attributes:
        unfinished: How many are not finished.
        waiting: Images that were found and are not settled.
        failed_images: Images that were not stored.
        failed: How many of the imports failed altogether.
    """

    unfinished: int
    waiting: int
    failed_images: int
    failed: int

    @classmethod
    def of(cls, latest: Sequence[ImportSnapshot]) -> "ImportFigures":
        """Add up the latest imports of archives."""
        return cls(
            unfinished=sum(not each.state.is_terminal for each in latest),
            waiting=sum(each.waiting for each in latest),
            failed_images=sum(each.failed for each in latest),
            failed=sum(each.state is ImportState.FAILED for each in latest),
        )
