"""The one entrance: a path in, a data set out."""

from pathlib import Path

from xmirad.datasets.covidx import label_lists, read_covidx
from xmirad.datasets.dataset import ALL_SPLITS, Dataset, Layout
from xmirad.datasets.folders import read_folder
from xmirad.datasets.isic2017 import isic_splits, read_isic2017
from xmirad.datasets.manifest import FILE_NAME, read_manifest
from xmirad.errors import InvalidRequestError


def read_dataset(path: Path, *, layout: Layout | None = None, split: str | None = None, full: bool = False) -> Dataset:
    """Read a data set, in a stable order.

    Args:
        path: Its folder; or a CSV manifest; or one COVIDx label list.
        layout: How it lies there. None: detected, a manifest before ISIC 2017, COVIDx and folder per class.
        split: Split to read, or `all`. None: `test` for COVIDx and ISIC 2017, everything for the others.
        full: Read ISIC 2017's full test list instead of the balanced one.

    Raises:
        InvalidRequestError: If there is nothing at the path, or what is there cannot be read as what it should be.
    """
    if not path.exists():
        raise InvalidRequestError(f"there is nothing at {path}", field="path", metadata={"path": str(path)})
    dataset = _read(path, layout or detect_layout(path), split=split, full=full)
    if not dataset.items:
        raise InvalidRequestError(f"{path} holds no images", field="path", metadata={"path": str(path)})
    return dataset


def _read(path: Path, layout: Layout, *, split: str | None, full: bool) -> Dataset:
    if layout in (Layout.FOLDER, Layout.ISIC2017) and not path.is_dir():
        raise InvalidRequestError(f"{path} is no folder", field="path", metadata={"path": str(path)})
    match layout:
        case Layout.MANIFEST:
            return read_manifest(path, split=split)
        case Layout.ISIC2017:
            return read_isic2017(path, split=split, full=full)
        case Layout.COVIDX:
            return read_covidx(path, split=split)
        case Layout.FOLDER:
            if split not in (None, ALL_SPLITS):
                message = f"{path} is read as folder per class, which has no splits; read one of its folders instead"
                raise InvalidRequestError(message, field="split", metadata={"value": split})
            return read_folder(path)


def detect_layout(path: Path) -> Layout:
    """Return how a data set lies at a path, by the names of its files alone.

    Raises:
        InvalidRequestError: If the path leads to a named pipe, a device or a socket.
    """
    if not path.is_dir() and not path.is_file():
        message = f"{path} is neither a folder nor a regular file"
        raise InvalidRequestError(message, field="path", metadata={"path": str(path)})
    if path.is_file():
        return Layout.COVIDX if path.suffix.lower() == ".txt" else Layout.MANIFEST
    if (path / FILE_NAME).is_file():
        return Layout.MANIFEST
    if isic_splits(path):
        return Layout.ISIC2017
    return Layout.COVIDX if label_lists(path) else Layout.FOLDER
