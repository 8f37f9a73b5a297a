"""Folders of classes: `<class>/.../<file>`, or `<split>/<class>/.../<file>`.

The folder names the class; a file above the classes has none. Every file is an item, whatever its suffix, except hidden
ones and those known to be no images: one that is no image is reported as failed by the service that cannot decode it,
rather than left out in silence.
"""

from collections import Counter
from pathlib import Path

from xmirad.datasets.dataset import ALL_SPLITS, Dataset, DatasetItem, Layout
from xmirad.datasets.labels import check_label
from xmirad.datasets.paths import Listed, is_ignored, list_files
from xmirad.datasets.problems import choice_error, named
from xmirad.datasets.selection import EVERYTHING, PathFilter, Selection
from xmirad.datasets.splits import matching_split, split_called
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes

CONTAINERS = {
    *("data", "dataset", "datasets", "image", "images", "img", "imgs", "input", "inputs", "files", "raw"),
    *("jpeg", "jpegs", "jpg", "jpgs", "png", "pngs", "tif", "tiff", "bmp", "dicom", "dicoms", "dcm"),
    *("label", "labels", "annotation", "annotations", "mask", "masks", "segmentation", "segmentations"),
}
"""Names of folders that say what files are, and no class."""
MASKS = {"mask", "masks", "segmentation", "segmentations", "lung_mask", "lung_masks", "lung masks"}


def folder_layout(folder: Path) -> Layout:
    """Return whether a folder holds classes or splits of classes, by the names of the folders in it.

    Raises:
        InvalidRequestError: If the classes would be called like splits, or like what holds images.
    """
    folders = subfolders(folder)
    if has_splits(folders):
        for each in folders:
            if split_called(each.name):
                _require_classes(folder, each)
        return Layout.SPLIT_FOLDER
    if len(folders) == 1 and has_splits(subfolders(folders[0])):
        raise _no_classes(folder, folders, "holds splits and is not a class")
    if folders and all(each.name.lower() in CONTAINERS for each in folders):
        raise _no_classes(folder, folders, "is the name of what holds images")
    return Layout.FOLDER


def has_splits(folders: list[Path]) -> bool:
    """Return whether folders are splits: two of them are called so, or most."""
    called = [split for each in folders if (split := split_called(each.name))]
    return len(set(called)) > 1 or 2 * len(called) > len(folders)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that may hold images, by name.

    Raises:
        InvalidRequestError: If it cannot be read.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        message = f"the folder {folder} cannot be read: {error.strerror}"
        raise InvalidRequestError(message, field="path", metadata={"folder": str(folder)}) from error
    return [each for each in found if each.is_dir() and not is_ignored(each.name, is_folder=True)]


def _require_classes(folder: Path, split: Path) -> None:
    """Refuse a split with images beside its classes, or with folders that cannot be classes."""
    classes = subfolders(split)
    if any(each.is_file() and not is_ignored(each.name, is_folder=False) for each in split.iterdir()):
        raise _no_classes(folder, [split], "is the name of a split, and images lie in it directly")
    if classes and all(each.name.lower() in CONTAINERS or split_called(each.name) for each in classes):
        raise _no_classes(folder, classes, "is not a class")


def _no_classes(folder: Path, wrong: list[Path], why: str) -> InvalidRequestError:
    names = named([repr(each.relative_to(folder).as_posix()) for each in wrong])
    inner = folder / wrong[0].relative_to(folder)
    remedy = f"Give {inner}" if has_splits(subfolders(inner)) else f"Give {inner} to read images without classes"
    return InvalidRequestError(
        f"{folder} is laid out as none of the data sets that can be read: {names} {why}. Expected: <class>/<images> or "
        f"<split>/<class>/<images> (splits: train, val, test), a manifest.csv with labels, or a known data set. "
        f"{remedy}, --exclude to leave folders out, or --layout folder if the folders are classes indeed",
        field="path",
        metadata={"folder": str(folder), "names": names},
    )


def read_folder(
    folder: Path, *, split: str | None = None, selection: Selection = EVERYTHING, names: PathFilter | None = None
) -> Dataset:
    """Read every file below a folder, in the order of their paths. Warns of a class without images.

    Raises:
        InvalidRequestError: If a split is asked for, the folder cannot be read, or the name of a folder of the first
            level cannot be a label.
    """
    if split not in (None, ALL_SPLITS):
        message = f"{folder} is read as folder per class, which has no splits; read one of its folders instead"
        raise InvalidRequestError(message, field="split", metadata={"value": str(split)})
    names = names or PathFilter(selection)
    listed = list_files(folder, names, follow_links=selection.follow_links)
    name = folder.resolve().name
    items = []
    for path in listed.files:
        parts = path.relative_to(folder).parts
        labels = (check_label(parts[0], where=str(folder)),) if len(parts) > 1 else ()
        items.append(DatasetItem(path, "", ItemAttributes(labels=labels, dataset=name)))
    warnings = [*_class_warnings(folder, items, names), *_mask_warnings(folder, listed), *listed.warnings]
    return Dataset(name, tuple(items), tuple(warnings), tuple(listed.unreadable))


def read_split_folder(
    folder: Path, *, split: str | None = None, selection: Selection = EVERYTHING, names: PathFilter | None = None
) -> Dataset:
    """Read folders of classes that lie in folders of splits: one split, or without one all.

    Raises:
        InvalidRequestError: If there is no such split, a folder cannot be read, or its name cannot be a label.
    """
    splits = {each.name: called for each in subfolders(folder) if (called := split_called(each.name))}
    wanted = None if split in (None, ALL_SPLITS) else matching_split(str(split), splits.values())
    if wanted is None and split not in (None, ALL_SPLITS):
        raise choice_error(
            "split", str(split), allowed=[*dict.fromkeys(splits.values()), ALL_SPLITS], where=str(folder)
        )
    listed = list_files(folder, names or PathFilter(selection), follow_links=selection.follow_links)
    items, outside = [], Counter[str]()
    for path in listed.files:
        first, *below = path.relative_to(folder).parts
        if first not in splits:
            outside[first] += 1
        elif wanted in (None, splits[first]):
            labels = (check_label(below[0], where=str(folder / first)),) if len(below) > 1 else ()
            attributes = ItemAttributes(labels=labels, dataset=folder.resolve().name, split=splits[first])
            items.append(DatasetItem(path, "", attributes))
    unreadable = [each for each in listed.unreadable if _is_wanted(each.path.relative_to(folder), splits, wanted)]
    warnings = [f"{name!r} is not a split and was left out ({count} files)" for name, count in outside.items()]
    warnings += [*_mask_warnings(folder, listed), *listed.warnings]
    name = "-".join([folder.resolve().name, *([wanted] if wanted else [])])
    return Dataset(name, tuple(items), tuple(warnings), tuple(unreadable))


def _is_wanted(path: Path, splits: dict[str, str], wanted: str | None) -> bool:
    return wanted is None or splits.get(path.parts[0]) == wanted


def _class_warnings(folder: Path, items: list[DatasetItem], names: PathFilter) -> list[str]:
    found = {label for item in items for label in item.attributes.labels}
    folders = [each for each in subfolders(folder) if not names.excludes(each.name)]
    warnings = [f"the class {each.name!r} has no images" for each in folders if each.name not in found]
    warnings += [f"the class {each.name!r} is called like a split" for each in folders if split_called(each.name)]
    inner = [each.name for each in folders if has_splits(subfolders(each))]
    if inner:
        warnings.append(f"splits within classes are not told apart: {named(inner)} have folders called train or test")
    lists = [each.name for each in sorted(folder.iterdir()) if each.suffix.lower() in (".csv", ".tsv", ".xlsx")]
    if lists and found:
        warnings.append(
            f"{named(lists)} was not read: the classes are the names of the folders; "
            "give the path of a CSV manifest to read that instead"
        )
    return warnings


def _mask_warnings(folder: Path, listed: Listed) -> list[str]:
    folders = Counter(
        part for path in listed.files for part in path.relative_to(folder).parts[:-1] if part.lower() in MASKS
    )
    return [
        f"files in folders called {name!r}: {count}; if they are masks, leave them out with --exclude {name!r}"
        for name, count in folders.items()
    ]
