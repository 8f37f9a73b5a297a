"""Whether two parts of a data set are apart: nobody whose image is searched with may be in the archive."""

from collections.abc import Iterable

from xmirad.datasets.dataset import Dataset, DatasetItem
from xmirad.errors import InvalidRequestError
from xmirad.types import Patient

NAMED = 5


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
