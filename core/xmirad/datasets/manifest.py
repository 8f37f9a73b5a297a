"""CSV manifest: one row an image, with a header line; for any data set that is not laid out in a known way.

`docs/data-sets.md` has this table and examples.

| column | meaning | allowed |
| --- | --- | --- |
| `path` | the file, relative to the manifest's folder or to that of `--root`; the only required column | inside it |
| `external_id` | identifier; empty means the digest of the content | unique, at most 256 characters |
| `frame` | frame of a DICOM file with several; empty means all, or what `--frames` says | 1 and up |
| `labels` | class labels, separated by `;` | at most 32, each at most 64 characters |
| `patient_id`, `patient_issuer` | whose image it is | an issuer only with an id |
| `dataset`, `split`, `source` | where it belongs and comes from; `dataset` defaults to the folder | 128 characters |
| `modality`, `body_part`, `view_position` | by the DICOM Standard | 128 characters |
| `year` | year of the study | 1895 to 2100 |
| `sex` | patient's sex | F, M, O, female, male, other |
| `age` | patient's age in years; only its ten-year band is kept | 0 to 150 |
| `synthetic` | whether the image was generated | true, false, yes, no, 1, 0 |

An empty cell means: not known. Case, spaces and hyphens in the names of columns do not matter.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path

from xmirad.datasets.dataset import ALL_SPLITS, Dataset, DatasetItem
from xmirad.datasets.demographics import age_band, parse_sex
from xmirad.datasets.labels import MAX_LABEL_CHARACTERS, MAX_LABELS, check_label
from xmirad.datasets.paths import PathFinder, check_inside
from xmirad.datasets.problems import MissingFile, choice_error, skip_or_refuse, value_error
from xmirad.datasets.repeats import Repeats
from xmirad.datasets.selection import EVERYTHING, PathFilter, Selection
from xmirad.datasets.splits import matching_split
from xmirad.datasets.tables import Row, Table, read_table
from xmirad.types import ItemAttributes, Patient

FILE_NAME = "manifest.csv"
COLUMNS = (
    "path",
    "external_id",
    "frame",
    "labels",
    "patient_id",
    "patient_issuer",
    "dataset",
    "split",
    "source",
    "modality",
    "body_part",
    "view_position",
    "year",
    "sex",
    "age",
    "synthetic",
)
SYNONYMS = {
    "path": (
        *("file", "files", "filename", "file_name", "filepath", "file_path"),
        *("image", "images", "img", "image_path", "image_name", "image_index", "image_file"),
    ),
    "external_id": ("id", "image_id", "isic_id", "key", "uid", "name"),
    "labels": ("label", "class", "classes", "category", "target", "diagnosis", "dx", "finding", "finding_labels"),
    "patient_id": ("patient", "patientid", "subject", "subject_id", "case", "lesion_id"),
    "split": ("set", "subset", "fold", "partition"),
    "sex": ("gender", "patient_sex", "patient_gender"),
    "age": ("age_approx", "age_approximate", "patient_age"),
    "view_position": ("view", "projection", "frontal/lateral", "ap/pa"),
}
"""What other data sets call the columns; only for advice."""
# The limits of the contract, so that a manifest fails here rather than image by image at the service.
MAX_WORD_CHARACTERS = 128
MAX_CHARACTERS = {
    "external_id": 256,
    "patient_id": 256,
    "patient_issuer": 256,
    "labels": MAX_LABELS * (MAX_LABEL_CHARACTERS + 2),
}
FIRST_YEAR, LAST_YEAR = 1895, 2100
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


def read_manifest(
    path: Path, *, split: str | None = None, selection: Selection = EVERYTHING, names: PathFilter | None = None
) -> Dataset:
    """Read a manifest by its path or its folder's, whole or only the rows of one split.

    Raises:
        InvalidRequestError: If the column `path` or a file is missing, an external id is used twice, a value is not
            allowed, or no row is of the split.
    """
    manifest = path / FILE_NAME if path.is_dir() else path
    table = read_table(manifest, required=("path",), known=COLUMNS, advice=advice)
    root = selection.images or manifest.parent
    finder, repeats, filtered = PathFinder(root), Repeats(), names or PathFilter(selection)
    items: list[DatasetItem] = []
    missing: list[MissingFile] = []
    for row in _rows_of_split(table, split, manifest):
        name = _path(row, selection.images)
        file = finder.find(name)
        if not filtered.takes(_relative(name, root)):
            continue
        item = _item(row, file or root / name, default_dataset=manifest.parent.resolve().name)
        if file is None:
            missing.append(MissingFile(row.place, name, item.path, finder.why_missing(name)))
        elif repeats.is_new(item, row.place):
            items.append(item)
    unreadable = skip_or_refuse(missing, skip=selection.skip_missing)
    return Dataset(
        name="-".join([manifest.parent.resolve().name, *([split] if split else [])]),
        items=tuple(items),
        warnings=(*_ignored(table, manifest), *repeats.warnings),
        unreadable=tuple(unreadable),
    )


def advice(column: str) -> str:
    """Return the known column that an unknown one may stand for, or an empty string."""
    word = column.lower().replace(" ", "_").replace("-", "_")
    for name, others in SYNONYMS.items():
        if word in others:
            return name
    close = difflib.get_close_matches(word, COLUMNS, n=1, cutoff=0.7)
    return close[0] if close else ""


def _ignored(table: Table, manifest: Path) -> list[str]:
    unknown = [name for name in table.columns if name not in COLUMNS]
    if not unknown:
        return []
    shown = [f"{name!r} (did you mean {advice(name)}?)" if advice(name) else repr(name) for name in unknown]
    columns = "column" if len(unknown) == 1 else "columns"
    return [f"{manifest.name}: ignored the unknown {columns} {', '.join(shown)}; known are: {', '.join(COLUMNS)}"]


def _rows_of_split(table: Table, split: str | None, manifest: Path) -> list[Row]:
    if split in (None, ALL_SPLITS):
        return list(table.rows)
    present = sorted({_cell(row, "split") for row in table.rows} - {""})
    chosen = matching_split(str(split), present)
    if chosen is None:
        raise choice_error("split", str(split), allowed=[*present, ALL_SPLITS], where=manifest.name)
    return [row for row in table.rows if row.cells["split"] == chosen]


def _path(row: Row, root: Path | None) -> str:
    name = row.cells["path"]
    if not name:
        raise value_error(row.place, "path", value=name, allowed="a file name")
    check_inside(name, row.place, root=root)
    return name


def _relative(name: str, root: Path) -> str:
    """Return a path as patterns see it: relative to the folder of the images, with slashes."""
    return name.replace("\\", "/").removeprefix(f"{root.absolute().as_posix()}/").removeprefix("./")


def _item(row: Row, path: Path, *, default_dataset: str) -> DatasetItem:
    return DatasetItem(
        path=path,
        external_id=_cell(row, "external_id"),
        attributes=_attributes(row, default_dataset),
        patient=_patient(row),
        frame=_frame(row),
    )


def _attributes(row: Row, default_dataset: str) -> ItemAttributes:
    synthetic = TRUTHS.get(_cell(row, "synthetic").lower())
    if synthetic is None:
        raise value_error(row.place, "synthetic", value=row.cells["synthetic"], allowed="true, false, yes, no, 1 or 0")
    sex, age = _cell(row, "sex"), _cell(row, "age")
    return ItemAttributes(
        labels=_labels(row),
        dataset=_cell(row, "dataset") or default_dataset,
        split=_cell(row, "split"),
        source=_cell(row, "source"),
        modality=_cell(row, "modality"),
        body_part=_cell(row, "body_part"),
        view_position=_cell(row, "view_position"),
        year=_year(row),
        sex=parse_sex(sex, row.place) if sex else None,
        age_band=age_band(age, row.place) if age else None,
        synthetic=synthetic,
    )


def _cell(row: Row, column: str) -> str:
    text = row.cells.get(column, "")
    limit = MAX_CHARACTERS.get(column, MAX_WORD_CHARACTERS)
    if len(text) > limit:
        raise value_error(row.place, column, value=text, allowed=f"at most {limit} characters long")
    return text


def _labels(row: Row) -> tuple[str, ...]:
    labels = _distinct(part.strip() for part in _cell(row, "labels").split(";") if part.strip())
    if len(labels) > MAX_LABELS:
        raise value_error(row.place, "labels", value=row.cells["labels"], allowed=f"at most {MAX_LABELS} labels")
    return tuple(check_label(label, where=str(row.place)) for label in labels)


def _distinct(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(labels))


def _year(row: Row) -> int | None:
    text = _cell(row, "year")
    if not text:
        return None
    year = int(text) if text.isascii() and text.isdigit() else 0
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise value_error(row.place, "year", value=text, allowed=f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    return year


def _frame(row: Row) -> int | None:
    text = _cell(row, "frame")
    if not text:
        return None
    frame = int(text) if text.isascii() and text.isdigit() else 0
    if frame < 1:
        raise value_error(row.place, "frame", value=text, allowed="a whole number from 1")
    return frame


def _patient(row: Row) -> Patient | None:
    patient_id, issuer = _cell(row, "patient_id"), _cell(row, "patient_issuer")
    if issuer and not patient_id:
        raise value_error(row.place, "patient_id", value=patient_id, allowed="set where patient_issuer is")
    return Patient(patient_id=patient_id, issuer=issuer) if patient_id else None
