"""The one entrance: a path in, a data set out."""

import re
from dataclasses import replace
from pathlib import Path

from xmirad.datasets.covidx import label_lists, read_covidx
from xmirad.datasets.dataset import Dataset, DatasetItem, Layout
from xmirad.datasets.dicom_frames import expand_frames
from xmirad.datasets.folders import folder_layout, read_folder, read_split_folder
from xmirad.datasets.isic2017 import isic_splits, read_isic2017
from xmirad.datasets.isic_challenges import CHALLENGES, challenge_splits, expected_files, read_challenge
from xmirad.datasets.labels import separator_warnings
from xmirad.datasets.manifest import FILE_NAME, read_manifest
from xmirad.datasets.selection import EVERYTHING, PathFilter, Selection
from xmirad.errors import InvalidRequestError
from xmirad.ids import is_placeholder

FOLDER_LAYOUTS = (Layout.FOLDER, Layout.SPLIT_FOLDER, Layout.ISIC2017, *CHALLENGES)
LABELS_OF_OTHERS = {
    r"(ISIC|ISBI)[-_]?.*20\d\d.*": "an ISIC challenge",
    r"HAM10000_(metadata|images).*": "HAM10000",
    r"Data_Entry_2017.*\.csv": "NIH ChestX-ray14",
    r"stage_2_train_labels\.csv": "the RSNA pneumonia challenge",
    r"CheXpert-v.*": "CheXpert",
    r"mimic-cxr-2\.0\.0-.*": "MIMIC-CXR",
}
"""Files by which a data set is recognized that no reader here takes as it is."""


def read_dataset(
    path: Path,
    *,
    layout: Layout | None = None,
    split: str | None = None,
    full: bool = False,
    selection: Selection = EVERYTHING,
) -> Dataset:
    """Read a data set, in a stable order.

    Args:
        path: Its folder; or a CSV manifest; or one COVIDx label list.
        layout: How it lies there. None: detected, a manifest before the ISIC challenges, COVIDx and folders of classes.
        split: Split to read, or `all`. None: `test` for COVIDx and the ISIC challenges, everything for the others.
        full: Read ISIC 2017's full test list instead of the balanced one.
        selection: Which files and frames are read, and where they lie.

    Raises:
        InvalidRequestError: If there is nothing at the path, or what is there cannot be read as what it should be.
    """
    if not path.exists():
        raise InvalidRequestError(f"there is nothing at {path}", field="path", metadata={"path": str(path)})
    names = PathFilter(selection)
    found = layout or detect_layout(path)
    if found in FOLDER_LAYOUTS and not path.is_dir():
        raise InvalidRequestError(f"{path} is not a folder", field="path", metadata={"path": str(path)})
    _check_images(path, found, selection.images)
    dataset = _completed(_read(path, found, split, full, selection, names), found, selection, names)
    if not dataset.items and not dataset.unreadable:
        patterns = " that the patterns let pass" if selection.include or selection.exclude else ""
        raise InvalidRequestError(f"{path} holds no images{patterns}", field="path", metadata={"path": str(path)})
    return dataset


def _check_images(path: Path, layout: Layout, images: Path | None) -> None:
    """Refuse a folder of images that is none, or that nothing would be looked for in."""
    if images is None:
        return
    if not images.is_dir():
        message = f"{images}, the folder of the images, is not a folder"
    elif layout in (Layout.FOLDER, Layout.SPLIT_FOLDER):
        message = (
            f"{path} is read as folders of classes, with no list that names images in {images}; give its path alone"
        )
    else:
        return
    raise InvalidRequestError(message, field="images", metadata={"path": str(images)})


def _read(
    path: Path, layout: Layout, split: str | None, full: bool, selection: Selection, names: PathFilter
) -> Dataset:
    match layout:
        case Layout.MANIFEST:
            return read_manifest(path, split=split, selection=selection, names=names)
        case Layout.ISIC2017:
            return read_isic2017(path, split=split, full=full, selection=selection, names=names)
        case Layout.ISIC2018 | Layout.ISIC2019 | Layout.ISIC2020:
            return read_challenge(path, layout, split=split, selection=selection, names=names)
        case Layout.COVIDX:
            return read_covidx(path, split=split, selection=selection, names=names)
        case Layout.SPLIT_FOLDER:
            return read_split_folder(path, split=split, selection=selection, names=names)
        case Layout.FOLDER:
            return read_folder(path, split=split, selection=selection, names=names)


def _completed(dataset: Dataset, layout: Layout, selection: Selection, names: PathFilter) -> Dataset:
    """Leave out placeholders of patients, take frames apart, and gather what must be said of any data set."""
    items = [_without_placeholder(item) for item in dataset.items]
    placeholders = sum(new is not old for new, old in zip(items, dataset.items, strict=True))
    warnings = [*dataset.warnings, *separator_warnings(items), *names.warnings]
    if placeholders:
        warnings.append(
            f"images with a placeholder for a patient id, such as ANONYMOUS or 0: {placeholders}; "
            "their patients are not known"
        )
    if layout in (Layout.FOLDER, Layout.SPLIT_FOLDER, Layout.MANIFEST):
        expanded = expand_frames(items, selection.frames)
        items, warnings = expanded.items, warnings + expanded.warnings
        dataset = replace(dataset, unreadable=(*dataset.unreadable, *expanded.unreadable))
    return replace(dataset, items=tuple(items), warnings=tuple(warnings))


def _without_placeholder(item: DatasetItem) -> DatasetItem:
    is_known = item.patient is None or not is_placeholder(item.patient.patient_id)
    return item if is_known else replace(item, patient=None)


def detect_layout(path: Path) -> Layout:
    """Return how a data set lies at a path, by the names of its files and folders.

    Raises:
        InvalidRequestError: If the path leads to a named pipe, a device or a socket, or if what is there looks like
            several layouts, or like a known data set whose files do not fit.
    """
    if not path.is_dir() and not path.is_file():
        message = f"{path} is neither a folder nor a regular file"
        raise InvalidRequestError(message, field="path", metadata={"path": str(path)})
    if path.is_file():
        return Layout.COVIDX if path.suffix.lower() == ".txt" else Layout.MANIFEST
    if (path / FILE_NAME).is_file():
        return Layout.MANIFEST
    known = [Layout.ISIC2017] if isic_splits(path) else []
    known += [layout for layout in CHALLENGES if challenge_splits(path, layout)]
    known += [Layout.COVIDX] if label_lists(path) else []
    if len(known) > 1:
        names = ", ".join(known)
        message = f"{path} has the lists of several data sets: {names}; choose one with --layout"
        raise InvalidRequestError(message, field="layout", metadata={"layouts": names})
    if known:
        return known[0]
    _refuse_unknown_challenge(path)
    return folder_layout(path)


def _refuse_unknown_challenge(folder: Path) -> None:
    """Refuse a folder with the files of a data set whose labels would not be read."""
    for entry in sorted(folder.iterdir()):
        for pattern, what in LABELS_OF_OTHERS.items():
            if re.fullmatch(pattern, entry.name, re.IGNORECASE):
                readable = "; ".join(expected_files(layout) for layout in CHALLENGES)
                known = f" Of the ISIC challenges these are read: {readable}." if "ISIC" in what else ""
                raise InvalidRequestError(
                    f"{folder} looks like {what} because of {entry.name}, and cannot be read as it is.{known} Write a "
                    "CSV manifest with the columns path and labels, or read folders of classes with --layout folder",
                    field="path",
                    metadata={"folder": str(folder), "file": entry.name},
                )
