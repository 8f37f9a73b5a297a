"""ISIC 2018 (task 3), 2019 and 2020: a CSV of labels and a folder of images for each split.

2018 and 2019 have a column a class with one 1.0 in each row. 2020 has `target`: 0 benign, 1 malignant; its list is also
known as Kaggle's `train.csv`. Where images of one lesion (2018, 2019) or patient (2020) are told, they count as of one
patient, so that no split of the data parts them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmirad.datasets.dataset import ALL_SPLITS, Dataset, DatasetItem, Layout, Unreadable
from xmirad.datasets.demographics import age_band, parse_sex
from xmirad.datasets.paths import FolderIndex, check_inside
from xmirad.datasets.problems import MissingFile, choice_error, skip_or_refuse, value_error
from xmirad.datasets.repeats import Repeats
from xmirad.datasets.selection import EVERYTHING, PathFilter, Selection
from xmirad.datasets.splits import matching_split
from xmirad.datasets.tables import Row, read_table
from xmirad.errors import InvalidRequestError
from xmirad.regular_files import opened_regular_file
from xmirad.types import ItemAttributes, Patient

DEFAULT_SPLIT = "test"
KAGGLE_LIST = "train.csv"
LESION = "lesion_id"
LONGEST_HEADER = 4096
SUFFIXES = (".jpg", ".jpeg", ".png", ".dcm")
UNKNOWN = ("", "unknown", "nan", "na")
BINARY = {"0": False, "0.0": False, "1": True, "1.0": True}
PARTS = {"train": "Training", "validation": "Validation", "test": "Test"}
CLASSES_2018 = {
    "MEL": "melanoma",
    "NV": "nevus",
    "BCC": "basal cell carcinoma",
    "AKIEC": "actinic keratosis or intraepithelial carcinoma",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
}
CLASSES_2019 = {
    **{column: label for column, label in CLASSES_2018.items() if column != "AKIEC"},
    "AK": "actinic keratosis",
    "SCC": "squamous cell carcinoma",
    "UNK": "unknown",
}
MALIGNANCY = {False: "benign", True: "malignant"}


@dataclass(frozen=True, slots=True)
class Challenge:
    """How the files of one year's challenge are called; `{0}` stands for Training, Validation or Test.

    Attributes:
        name: The data set.
        splits: The splits whose labels are public.
        lists: Names of the label list, the first that exists counts.
        folders: Where the images lie, the first that exists counts.
        people: Names of the list of lesions, ages and sexes; the label list has them too if there is none.
        image: Column of the image's name.
        classes: Label by column, or an empty mapping: benign or malignant, by the column `target`.
        person: Column of the lesion or patient.
    """

    name: str
    splits: tuple[str, ...]
    lists: tuple[str, ...]
    folders: tuple[str, ...]
    people: tuple[str, ...]
    image: str
    classes: Mapping[str, str]
    person: str


CHALLENGES = {
    Layout.ISIC2018: Challenge(
        name="isic2018",
        splits=("train", "validation", "test"),
        lists=(
            "ISIC2018_Task3_{0}_GroundTruth.csv",
            "ISIC2018_Task3_{0}_GroundTruth/ISIC2018_Task3_{0}_GroundTruth.csv",
        ),
        folders=("ISIC2018_Task3_{0}_Input/ISIC2018_Task3_{0}_Input", "ISIC2018_Task3_{0}_Input"),
        people=("ISIC2018_Task3_{0}_LesionGroupings.csv",),
        image="image",
        classes=CLASSES_2018,
        person=LESION,
    ),
    Layout.ISIC2019: Challenge(
        name="isic2019",
        splits=("train", "test"),
        lists=("ISIC_2019_{0}_GroundTruth.csv",),
        folders=("ISIC_2019_{0}_Input/ISIC_2019_{0}_Input", "ISIC_2019_{0}_Input"),
        people=("ISIC_2019_{0}_Metadata.csv",),
        image="image",
        classes=CLASSES_2019,
        person=LESION,
    ),
    Layout.ISIC2020: Challenge(
        name="isic2020",
        splits=("train",),
        lists=("ISIC_2020_{0}_GroundTruth_v2.csv", "ISIC_2020_{0}_GroundTruth.csv", "train.csv"),
        folders=(
            *("ISIC_2020_{0}_JPEG/train", "ISIC_2020_{0}_JPEG", "ISIC_2020_{0}_Input/train", "ISIC_2020_{0}_Input"),
            *("jpeg/train", "train", "ISIC_2020_{0}_Dicom/train", "ISIC_2020_{0}_DICOM/train"),
        ),
        people=(),
        image="image_name",
        classes={},
        person="patient_id",
    ),
}


def challenge_splits(folder: Path, layout: Layout) -> list[str]:
    """Return the splits that a folder has a list of labels for."""
    challenge = CHALLENGES[layout]
    return [split for split in challenge.splits if _list_of(folder, challenge, split)]


def expected_files(layout: Layout) -> str:
    """Return what a folder of the challenge must have, for a message."""
    challenge = CHALLENGES[layout]
    label_list, folder = challenge.lists[0], min(challenge.folders[:2], key=len)
    return f"{label_list} beside {folder}/".format("Training")


def read_challenge(
    folder: Path,
    layout: Layout,
    *,
    split: str | None = None,
    selection: Selection = EVERYTHING,
    names: PathFilter | None = None,
) -> Dataset:
    """Read one split, or all with `split="all"`. Without a split: `test` if its labels are there, else all.

    Raises:
        InvalidRequestError: If a split or an image is missing, a list lacks a column, or a value is not allowed.
    """
    present = challenge_splits(folder, layout)
    if not present:
        message = f"{folder} is not laid out as {layout}; expected {expected_files(layout)}"
        raise InvalidRequestError(message, field="path", metadata={"folder": str(folder)})
    asked = split or (DEFAULT_SPLIT if DEFAULT_SPLIT in present else ALL_SPLITS)
    chosen = None if asked == ALL_SPLITS else matching_split(asked, present)
    if chosen is None and asked != ALL_SPLITS:
        raise choice_error("split", asked, allowed=[*present, ALL_SPLITS], where=str(folder))
    reader = _ChallengeReader(folder, CHALLENGES[layout], selection, names or PathFilter(selection))
    for each in present if chosen is None else [chosen]:
        reader.read(each)
    name = f"{layout}-{chosen or ALL_SPLITS}"
    warnings = (*reader.repeats.warnings, *_lesion_warnings(reader.items, CHALLENGES[layout]))
    return Dataset(name, tuple(reader.items), warnings, tuple(reader.unreadable))


def _lesion_warnings(items: Sequence[DatasetItem], challenge: Challenge) -> list[str]:
    """Say what the answers on patients mean where only lesions are told."""
    if challenge.person != LESION or not any(item.patient for item in items):
        return []
    return [
        f"{challenge.name} tells lesions, not patients: images of one lesion count as of one patient, and those of two "
        "lesions as of two, who may be the same person"
    ]


class _ChallengeReader:
    """Reads the splits of a challenge, one after the other."""

    def __init__(self, folder: Path, challenge: Challenge, selection: Selection, names: PathFilter) -> None:
        self.items: list[DatasetItem] = []
        self.unreadable: list[Unreadable] = []
        self.repeats = Repeats()
        self._folder = folder
        self._challenge = challenge
        self._selection = selection
        self._names = names

    def read(self, split: str) -> None:
        """Read one split."""
        label_list = _list_of(self._folder, self._challenge, split)
        images = FolderIndex(self._selection.images or self._images(split))
        people = self._people(split)
        missing: list[MissingFile] = []
        columns = self._challenge.classes or ("target",)
        for row in read_table(label_list or self._folder, required=(self._challenge.image, *columns)).rows:
            name = row.cells[self._challenge.image]
            check_inside(name, row.place)
            path = next((found for suffix in SUFFIXES if (found := images.find(name + suffix))), None)
            shown = f"{name}.jpg" if path is None else path.name
            if not self._names.takes(f"{images.folder.name}/{shown}"):
                continue
            if path is None:
                missing.append(MissingFile(row.place, shown, images.folder / shown, images.why_missing(shown)))
                continue
            item = self._item(row, people.get(name, row), split=split, path=path)
            if self.repeats.is_new(item, row.place):
                self.items.append(item)
        self.unreadable += skip_or_refuse(missing, skip=self._selection.skip_missing)

    def _images(self, split: str) -> Path:
        folder = _first(self._folder, self._challenge.folders, split)
        if folder is None:
            expected = " or ".join(f"{name.format(PARTS[split])}/" for name in self._challenge.folders)
            raise InvalidRequestError(
                f"{self._folder} looks like {self._challenge.name}, but its {split} images are not there; expected "
                f"{expected}; --images FOLDER names another place",
                field="path",
                metadata={"folder": str(self._folder), "expected": expected},
            )
        return folder

    def _people(self, split: str) -> dict[str, Row]:
        path = _first(self._folder, self._challenge.people, split)
        if path is None:
            return {}
        return {row.cells["image"]: row for row in read_table(path, required=("image",)).rows}

    def _item(self, row: Row, person: Row, *, split: str, path: Path) -> DatasetItem:
        sex, age = (person.cells.get(column, "").lower() for column in ("sex", "age_approx"))
        identifier = person.cells.get(self._challenge.person, "")
        attributes = ItemAttributes(
            labels=(self._label(row),),
            dataset=self._challenge.name,
            split=split,
            modality="DMS",
            body_part="SKIN",
            sex=None if sex in UNKNOWN else parse_sex(sex, person.place),
            age_band=None if age in UNKNOWN else age_band(age, person.place, column="age_approx"),
        )
        issuer = f"{self._challenge.name}:{self._challenge.person.removesuffix('_id')}"
        patient = Patient(identifier, issuer) if identifier else None
        return DatasetItem(path, path.stem, attributes, patient)

    def _label(self, row: Row) -> str:
        if not self._challenge.classes:
            return MALIGNANCY[_truth(row, "target")]
        chosen = [label for column, label in self._challenge.classes.items() if _truth(row, column)]
        if len(chosen) != 1:
            columns = ", ".join(self._challenge.classes)
            shown = ", ".join(chosen) or "none"
            raise value_error(row.place, "class", value=shown, allowed=f"exactly one: 1.0 in one of {columns}")
        return chosen[0]


def _truth(row: Row, column: str) -> bool:
    value = BINARY.get(row.cells[column])
    if value is None:
        raise value_error(row.place, column, value=row.cells[column], allowed="0.0 or 1.0")
    return value


def _list_of(folder: Path, challenge: Challenge, split: str) -> Path | None:
    """Return the label list of a split, or None. Many sets have a `train.csv`; that of 2020 has its columns."""
    found = _first(folder, challenge.lists, split)
    if found is None or found.name != KAGGLE_LIST:
        return found
    with opened_regular_file(found) as file:
        header = file.readline(LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    return found if {challenge.image, "target"} <= set(header.strip().split(",")) else None


def _first(folder: Path, names: tuple[str, ...], split: str) -> Path | None:
    """Return the first of some files or folders that exists, or None."""
    paths = (folder / name.format(PARTS[split]) for name in names)
    return next((path for path in paths if path.exists()), None)
