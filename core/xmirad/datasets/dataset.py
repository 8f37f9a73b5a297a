"""What a reader yields."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from xmirad.types import ItemAttributes, Patient

ALL_SPLITS = "all"
MAX_FILE_NAME = 1024


class Layout(StrEnum):
    """How a data set lies on disk."""

    COVIDX = "covidx"
    ISIC2017 = "isic2017"
    ISIC2018 = "isic2018"
    ISIC2019 = "isic2019"
    ISIC2020 = "isic2020"
    SPLIT_FOLDER = "split-folder"
    FOLDER = "folder"
    MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """An image file and what is known of it.

    Attributes:
        path: The file.
        external_id: The data set's own identifier, or an empty string: the digest of the content identifies it.
        attributes: Labels and whatever else is known.
        patient: Whose image it is, or None.
        frame: Frame of a DICOM instance, counted from 1, or None.
    """

    path: Path
    external_id: str
    attributes: ItemAttributes
    patient: Patient | None = None
    frame: int | None = None

    @property
    def file_name(self) -> str:
        """The file's name after its folder's, such as `normal/a1.png`, to be kept with the image for people to read."""
        name = "/".join(self.path.parts[-2:])
        return os.fsencode(name).decode("utf-8", "replace")[-MAX_FILE_NAME:]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or folder that belongs to a data set and cannot be read.

    Attributes:
        path: The file or folder.
        why: The reason, such as `is a link to nothing`.
    """

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images in a stable order.

    Attributes:
        name: Data set and what of it was read, such as `covidx-test`.
        items: The images.
        warnings: What a reader noticed and went on, one sentence each.
        unreadable: What is there, or should be, and is not among the items; to be reported as failed.
    """

    name: str
    items: tuple[DatasetItem, ...]
    warnings: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
