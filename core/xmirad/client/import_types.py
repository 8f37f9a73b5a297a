"""The values that the SDK returns of imports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from xmirad.errors import XmiradError
from xmirad.types import ImportState


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """A data set on the machine of the service, for the owner of the service's home; see `xmirad.datasets`.

    Attributes:
        path: Absolute path of its folder, manifest or list.
        layout: How it lies there, such as `covidx`; empty: it is detected.
        full_list: Read the full test list of ISIC 2017 instead of the balanced one.
        images: Absolute path of the folder of the images; empty: where the layout has them.
        skip_missing: Count files that a list names and that are not there as failed, instead of refusing the data set.
        frames: Which frames of a DICOM file are stored where none is named: `all`, `first` or `middle`.
    """

    path: str
    layout: str = ""
    full_list: bool = False
    images: str = ""
    skip_missing: bool = False
    frames: str = "all"


@dataclass(frozen=True, slots=True)
class Import:
    """The images of a folder on their way into an archive.

    Attributes:
        name: `imports/{import}`.
        archive: The archive's id.
        folder: Alias of the folder; empty for a data set that was named by its path.
        split: The split that is read, or an empty string.
        include: If there are any, only files that match one of these patterns are stored.
        exclude: Files that match one of these are not.
        state: How far it is; None where a newer service says what is not known here.
        total: How many images there are; 0 while QUEUED.
        created: How many images are new items.
        updated: How many were there with other attributes.
        unchanged: How many were there just so.
        failed: How many were not stored.
        failures: Why the first of those were not, by their paths relative to the folder.
        warnings: What the reader of the folder noticed.
        error: Why the import failed, or None.
        create_time: When it was created, in UTC.
        finish_time: When it ended, in UTC, or None.
    """

    name: str
    archive: str
    folder: str
    split: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    state: ImportState | None
    total: int
    created: int
    updated: int
    unchanged: int
    failed: int
    failures: Mapping[str, XmiradError]
    warnings: tuple[str, ...]
    error: XmiradError | None
    create_time: datetime
    finish_time: datetime | None

    @property
    def done(self) -> int:
        """How many images are settled."""
        return self.created + self.updated + self.unchanged + self.failed
