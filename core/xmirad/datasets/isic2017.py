"""ISIC 2017, part 3 (lesion classification): one CSV of labels and one folder of images a split.

A label CSV has the columns `image_id, melanoma, seborrheic_keratosis` with values 0.0 and 1.0; both 0.0 mean nevus. The
test split has a full list and, in the retrieval literature, a balanced one with as many images of every class.
"""

from collections.abc import Mapping
from pathlib import Path

from xmirad.datasets.dataset import ALL_SPLITS, Dataset, DatasetItem, Unreadable
from xmirad.datasets.demographics import age_band, parse_sex
from xmirad.datasets.paths import FolderIndex, check_inside
from xmirad.datasets.problems import MissingFile, choice_error, skip_or_refuse, value_error
from xmirad.datasets.repeats import Repeats
from xmirad.datasets.selection import EVERYTHING, PathFilter, Selection
from xmirad.datasets.splits import matching_split
from xmirad.datasets.tables import Row, read_table
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Sex

NAME = "isic2017"
DEFAULT_SPLIT = "test"
STEMS = {"train": "ISIC-2017_Training", "validation": "ISIC-2017_Validation", "test": "ISIC-2017_Test_v2"}
MELANOMA, KERATOSIS = "melanoma", "seborrheic_keratosis"
LABELS = {("0", "0"): "nevus", ("1", "0"): "melanoma", ("0", "1"): "seborrheic keratosis"}
BINARY = {"0": "0", "0.0": "0", "1": "1", "1.0": "1"}
UNKNOWN = ("", "unknown")


def isic_splits(folder: Path) -> list[str]:
    """Return the splits that a folder has a list of labels for."""
    return [split for split in STEMS if any(path.is_file() for path in _lists(folder, split))]


def read_isic2017(
    folder: Path,
    *,
    split: str | None = None,
    full: bool = False,
    selection: Selection = EVERYTHING,
    names: PathFilter | None = None,
) -> Dataset:
    """Read one split, or all with `split="all"`.

    The test split comes by its balanced list where there is one, unless `full` is set or all splits are read.

    Raises:
        InvalidRequestError: If a split or an image is missing, a list lacks a column, or a value is not allowed.
    """
    present = isic_splits(folder)
    asked = split if split == ALL_SPLITS else matching_split(split or DEFAULT_SPLIT, present) or split or DEFAULT_SPLIT
    reader = _ListReader(folder, selection, names or PathFilter(selection))
    called = [NAME, asked]
    for name in present if asked == ALL_SPLITS else [asked]:
        if name not in present:
            raise choice_error("split", name, allowed=[*present, ALL_SPLITS], where=str(folder))
        full_list, balanced_list = _lists(folder, name)
        full_is_due = full or asked == ALL_SPLITS or not balanced_list.is_file()
        if name == "test" and asked != ALL_SPLITS:
            called.append("full" if full_is_due else "balanced")
        reader.read(full_list if full_is_due else balanced_list, split=name)
    warnings = tuple(reader.repeats.warnings)
    return Dataset("-".join(called), tuple(reader.items), warnings, tuple(reader.unreadable))


def _lists(folder: Path, split: str) -> tuple[Path, Path]:
    stem = f"{STEMS[split]}_Part3_GroundTruth"
    return folder / f"{stem}.csv", folder / f"{stem}_balanced.csv"


class _ListReader:
    """Reads label lists, one after the other."""

    def __init__(self, folder: Path, selection: Selection, names: PathFilter) -> None:
        self.items: list[DatasetItem] = []
        self.unreadable: list[Unreadable] = []
        self.repeats = Repeats()
        self._folder = folder
        self._selection = selection
        self._names = names

    def read(self, label_list: Path, *, split: str) -> None:
        """Read the list of a split."""
        folder = self._folder / f"{STEMS[split]}_Data"
        images = FolderIndex(self._selection.images or _existing(folder))
        people = _read_people(folder)
        missing: list[MissingFile] = []
        for row in read_table(label_list, required=("image_id", MELANOMA, KERATOSIS)).rows:
            name = f"{row.cells['image_id']}.jpg"
            check_inside(name, row.place)
            if not self._names.takes(f"{images.folder.name}/{name}"):
                continue
            path = images.find(name)
            if path is None:
                missing.append(MissingFile(row.place, name, images.folder / name, images.why_missing(name)))
                continue
            item = _item(row, split=split, path=path, people=people)
            if self.repeats.is_new(item, row.place):
                self.items.append(item)
        self.unreadable += skip_or_refuse(missing, skip=self._selection.skip_missing)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        message = f"the images are not there; expected {folder}; --images FOLDER names another place"
        raise InvalidRequestError(message, field="path", metadata={"expected": str(folder)})
    return folder


def _item(row: Row, *, split: str, path: Path, people: Mapping[str, tuple[Sex | None, int | None]]) -> DatasetItem:
    sex, band = people.get(row.cells["image_id"], (None, None))
    attributes = ItemAttributes(
        labels=(_label(row),), dataset=NAME, split=split, modality="DMS", body_part="SKIN", sex=sex, age_band=band
    )
    return DatasetItem(path=path, external_id=path.stem, attributes=attributes)


def _label(row: Row) -> str:
    values = []
    for column in (MELANOMA, KERATOSIS):
        value = BINARY.get(row.cells[column])
        if value is None:
            raise value_error(row.place, column, value=row.cells[column], allowed="0.0 or 1.0")
        values.append(value)
    label = LABELS.get((values[0], values[1]))
    if label is None:
        raise value_error(row.place, KERATOSIS, value=row.cells[KERATOSIS], allowed=f"0.0 where {MELANOMA} is 1.0")
    return label


def _read_people(folder: Path) -> dict[str, tuple[Sex | None, int | None]]:
    path = folder / f"{folder.name}_metadata.csv"
    if not path.is_file():
        return {}
    people = {}
    for row in read_table(path, required=("image_id", "age_approximate", "sex")).rows:
        age, sex = row.cells["age_approximate"].lower(), row.cells["sex"].lower()
        people[row.cells["image_id"]] = (
            None if sex in UNKNOWN else parse_sex(sex, row.place),
            None if age in UNKNOWN else age_band(age, row.place, column="age_approximate"),
        )
    return people
