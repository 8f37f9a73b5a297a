"""Folder per class: `<class>/.../<file>`. The first level names the class; a file at the top has none.

Every file that is not hidden is an item, whatever its suffix: one that is no image is to be reported as failed by the
service that cannot decode it, rather than left out in silence.
"""

from pathlib import Path

from xmirad.datasets.dataset import Dataset, DatasetItem
from xmirad.datasets.labels import check_label
from xmirad.datasets.paths import visible_files
from xmirad.types import ItemAttributes


def read_folder(folder: Path) -> Dataset:
    """Read every file below a folder, in the order of their paths. Warns of a class without images.

    Raises:
        InvalidRequestError: If a folder cannot be read, or the name of a first-level folder cannot be a label.
    """
    items = []
    for path in visible_files(folder):
        parts = path.relative_to(folder).parts
        labels = (check_label(parts[0], where=str(folder)),) if len(parts) > 1 else ()
        attributes = ItemAttributes(labels=labels, dataset=folder.resolve().name)
        items.append(DatasetItem(path=path, external_id="", attributes=attributes))
    found = {label for item in items for label in item.attributes.labels}
    empty = sorted(each.name for each in folder.iterdir() if _may_be_class(each) and each.name not in found)
    warnings = tuple(f"the class {name!r} has no images" for name in empty)
    return Dataset(name=folder.resolve().name, items=tuple(items), warnings=warnings)


def _may_be_class(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")
