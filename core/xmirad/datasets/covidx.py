"""COVIDx: chest radiographs, label lists `<split>*.txt` beside one folder of images a split.

The repository of COVID-Net has the lists in `labels/` and the images in `data/<split>/`.

A line is `patientid filename class [source]`, separated by white space; the source is absent on some lines of some
versions, and ids and file names may themselves hold spaces (`COVID 70 COVID(70).png COVID-19 sirm`). Class and source
are taken from the right, therefore, and what is left is divided where the second part is a file of the split's folder.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from xmirad.datasets.classes import COVIDX_SPELLINGS, covidx_class
from xmirad.datasets.dataset import ALL_SPLITS, Dataset, DatasetItem, Unreadable
from xmirad.datasets.paths import FolderIndex, check_inside
from xmirad.datasets.problems import MissingFile, Place, choice_error, skip_or_refuse, value_error
from xmirad.datasets.repeats import Repeats
from xmirad.datasets.selection import EVERYTHING, PathFilter, Selection
from xmirad.datasets.splits import matching_split
from xmirad.datasets.tables import read_text
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Patient

NAME = "covidx"
SPLITS = ("train", "val", "test")
DEFAULT_SPLIT = "test"
LISTS_FOLDER, IMAGES_FOLDER = "labels", "data"
LIST_NAME = re.compile(r"(train|val|test)([_-].*)?\.txt", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CovidxLine:
    """A line of a label list, its id and file name not yet told apart."""

    place: Place
    names: str
    label: str
    source: str


def label_lists(folder: Path) -> dict[str, list[Path]]:
    """Return the label lists of a folder by split, known by their names, else those in its folder `labels`."""
    for place in (folder, folder / LISTS_FOLDER):
        lists: dict[str, list[Path]] = {}
        for path in sorted(place.iterdir()) if place.is_dir() else []:
            match = LIST_NAME.fullmatch(path.name)
            if match and path.is_file():
                lists.setdefault(match[1].lower(), []).append(path)
        if lists:
            return {split: lists[split] for split in SPLITS if split in lists}
    return {}


def read_covidx(
    path: Path, *, split: str | None = None, selection: Selection = EVERYTHING, names: PathFilter | None = None
) -> Dataset:
    """Read one split, or all with `split="all"`, from a folder or by the path of one label list.

    Raises:
        InvalidRequestError: If a split or an image is missing, a line cannot be understood, a class is unknown, or
            there are several lists for one split.
    """
    chosen = _choose_lists(path, split)
    reader = _ListReader(selection, names or PathFilter(selection))
    for name, label_list in chosen.items():
        reader.read(label_list, split=name)
    what = ALL_SPLITS if split == ALL_SPLITS else "-".join(chosen)
    return Dataset(
        name=f"{NAME}-{what}",
        items=tuple(reader.items),
        warnings=tuple(reader.repeats.warnings),
        unreadable=tuple(reader.unreadable),
    )


def _choose_lists(path: Path, split: str | None) -> dict[str, Path]:
    if path.is_file():
        return {_split_of(path, split): path}
    lists = label_lists(path)
    asked = split or DEFAULT_SPLIT
    wanted = list(lists) if split == ALL_SPLITS else [matching_split(asked, lists) or asked]
    for name in wanted:
        if name not in lists:
            raise choice_error("split", name, allowed=[*lists, ALL_SPLITS], where=str(path))
        if len(lists[name]) > 1:
            names = ", ".join(each.name for each in lists[name])
            message = f"{path} has several label lists of the split {name}: {names}; give the path of one of them"
            raise InvalidRequestError(message, field="path", metadata={"lists": names})
    return {name: lists[name][0] for name in wanted}


def _split_of(label_list: Path, split: str | None) -> str:
    match = LIST_NAME.fullmatch(label_list.name)
    if match is None:
        message = (
            f"{label_list} is not a COVIDx label list: its name must begin with train, val or test; "
            "other lists are read as CSV manifests"
        )
        raise InvalidRequestError(message, field="path")
    named = match[1].lower()
    if split is not None and matching_split(split, [named]) is None:
        raise choice_error("split", str(split), allowed=[named], where=label_list.name)
    return named


class _ListReader:
    """Reads label lists, one after the other."""

    def __init__(self, selection: Selection, names: PathFilter) -> None:
        self.items: list[DatasetItem] = []
        self.unreadable: list[Unreadable] = []
        self.repeats = Repeats()
        self._selection = selection
        self._names = names

    def read(self, label_list: Path, *, split: str) -> None:
        """Read the list of a split."""
        images = FolderIndex(_images_of(label_list, split, self._selection.images))
        found: list[tuple[CovidxLine, str, Path]] = []
        missing: list[MissingFile] = []
        for number, text in enumerate(read_text(label_list).split("\n"), start=1):
            if not text.strip():
                continue
            line = _parse(text.strip(), Place(label_list, number))
            image = _find_image(line, images)
            if image is None:
                missing.append(_missing(line, images))
            else:
                found.append((line, *image))
        wanted = [each for each in missing if self._takes(split, each.name)]
        self.unreadable += skip_or_refuse(wanted, skip=self._selection.skip_missing)
        stems = Counter(path.stem for path in {path for _, _, path in found})
        for line, patient_id, path in found:
            external_id = path.stem if stems[path.stem] == 1 else path.name
            item = _item(line, split=split, patient_id=patient_id, path=path, external_id=external_id)
            if self._takes(split, path.name) and self.repeats.is_new(item, line.place):
                self.items.append(item)

    def _takes(self, split: str, name: str) -> bool:
        return self._names.takes(f"{split}/{name}")


def _images_of(label_list: Path, split: str, images: Path | None) -> Path:
    """Return the folder of a split's images: in the one that is named, beside the list, or as COVID-Net has them.

    Raises:
        InvalidRequestError: If there is none.
    """
    if images is not None:
        return images / split if (images / split).is_dir() else images
    here, above = label_list.parent, label_list.parent.parent
    places = [here / split, here / IMAGES_FOLDER / split]
    if here.name == LISTS_FOLDER:
        places += [above / IMAGES_FOLDER / split, above / split]
    for place in places:
        if place.is_dir():
            return place
    names = " or ".join(str(place) for place in places)
    raise InvalidRequestError(
        f"the images of {label_list.name} are not there; expected {names}; --images FOLDER names another place",
        field="path",
        metadata={"list": str(label_list), "expected": names},
    )


def _missing(line: CovidxLine, images: FolderIndex) -> MissingFile:
    name = line.names.split(maxsplit=1)[1]
    return MissingFile(line.place, name, images.folder / name, images.why_missing(name))


def _parse(text: str, place: Place) -> CovidxLine:
    for names_and_class, source in ((text, ""), tuple(_split_last(text))):
        names, word = _split_last(names_and_class)
        label = covidx_class(word)
        if label is not None and len(names.split()) > 1:
            return CovidxLine(place, names=names, label=label, source=source)
    fields = text.split()
    if len(fields) < 3:
        raise value_error(place, "line", value=text, allowed="`patientid filename class [source]`")
    raise value_error(place, "class", value=fields[-2] if len(fields) > 3 else fields[-1], allowed=COVIDX_SPELLINGS)


def _split_last(text: str) -> tuple[str, str]:
    words = text.rsplit(maxsplit=1)
    return (words[0], words[1]) if len(words) == 2 else ("", text)


def _find_image(line: CovidxLine, images: FolderIndex) -> tuple[str, Path] | None:
    divisions = [(line.names[: gap.start()], line.names[gap.end() :]) for gap in re.finditer(r"\s+", line.names)]
    found = []
    for patient_id, name in divisions:
        check_inside(name, line.place)
        path = images.find(name)
        if path is not None:
            found.append((patient_id, path))
    if len(found) > 1:  # RSNA lines repeat the id as the file's stem
        found = [(patient_id, path) for patient_id, path in found if path.stem == patient_id] or found
    if len(found) > 1:
        names = ", ".join(path.name for _, path in found)
        raise value_error(
            line.place,
            "filename",
            value=line.names,
            allowed=f"divided in one way only, but all of these exist: {names}",
        )
    return found[0] if found else None


def _item(line: CovidxLine, *, split: str, patient_id: str, path: Path, external_id: str) -> DatasetItem:
    attributes = ItemAttributes(labels=(line.label,), dataset=NAME, split=split, source=line.source, body_part="CHEST")
    # Ids are unique within a source only, so the source is part of who issued them.
    patient = Patient(patient_id=patient_id, issuer=f"{NAME}:{line.source}")
    return DatasetItem(path=path, external_id=external_id, attributes=attributes, patient=patient)
