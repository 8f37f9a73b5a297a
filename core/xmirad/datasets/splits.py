"""Parts of a data set: what they are called, and whether they are apart."""

from collections.abc import Iterable

from xmirad.datasets.dataset import Dataset, DatasetItem
from xmirad.errors import InvalidRequestError
from xmirad.types import Patient

NAMED = 5
SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What data sets call their splits, and the one name of each."""


def split_called(name: str) -> str | None:
    """Return `train`, `val` or `test` for a usual name of one of them, in any case, or None."""
    return SPELLINGS.get(name.lower())


def matching_split(asked: str, present: Iterable[str]) -> str | None:
    """Return the split that was asked for, or the only one that is called the same in other words, or None."""
    known = list(present)
    if asked in known:
        return asked
    meant = split_called(asked)
    same = [split for split in known if meant is not None and split_called(split) == meant]
    return same[0] if len(same) == 1 else None


def require_separate_patients(first: Dataset, second: Dataset) -> None:
    """Check that no known patient has images in both of two parts of a data set.

    Raises:
        InvalidRequestError: If one has. The message names files, never a patient.
    """
    ours, theirs = _first_images(first.items), _first_images(second.items)
    shared = [patient for patient in ours if patient in theirs]
    if not shared:
        return
    pairs = [f"{ours[patient].path.name} and {theirs[patient].path.name}" for patient in shared[:NAMED]]
    more = f", and {len(shared) - NAMED} more" if len(shared) > NAMED else ""
    patients = "1 patient has" if len(shared) == 1 else f"{len(shared)} patients have"
    raise InvalidRequestError(
        f"{patients} images both in {first.name} and in {second.name}: {'; '.join(pairs)}{more}",
        field="split",
        metadata={"patients": str(len(shared)), "first": first.name, "second": second.name},
    )


def _first_images(items: Iterable[DatasetItem]) -> dict[Patient, DatasetItem]:
    images: dict[Patient, DatasetItem] = {}
    for item in items:
        if item.patient is not None:
            images.setdefault(item.patient, item)
    return images
