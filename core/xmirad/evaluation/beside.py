"""The data that takes part in an evaluation beside the queries, and whether it may."""

from dataclasses import dataclass

from xmirad.datasets import Dataset
from xmirad.datasets.digests import image_digest_of
from xmirad.datasets.splits import require_separate_patients
from xmirad.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Beside:
    """What takes part beside the queries' data set; each may be None.

    Attributes:
        archive: What the queries are ranked against; None: against each other.
        validation: What the temperature of confidences is fitted on, ranked as the queries are; None: folds of them.
        other_data: Images that the archive should not know.
    """

    archive: Dataset | None = None
    validation: Dataset | None = None
    other_data: Dataset | None = None


def check_data(dataset: Dataset, beside: Beside) -> None:
    """Check that an evaluation of these data sets measures what it says.

    Raises:
        InvalidRequestError: If queries or archive have fewer than two classes, a patient is in two parts of the data
            that must be apart, or an image to fit on is searched with too.
    """
    parts = [part for part in (dataset, beside.archive, beside.validation) if part is not None]
    for part in parts:
        _require_classes(part)
    for place, part in enumerate(parts):
        for other in parts[place + 1 :]:
            require_separate_patients(part, other)
    if beside.validation is not None:
        _require_other_images(dataset, beside.validation)


def _require_other_images(queries: Dataset, validation: Dataset) -> None:
    """Refuse to fit anything on images that are then searched with."""
    asked = {image_digest_of(item) for item in queries.items}
    shared = [item for item in validation.items if image_digest_of(item) in asked]
    if shared:
        message = f"{len(shared)} images of {validation.name} are searched with too, such as {shared[0].path.name}"
        raise InvalidRequestError(message, field="calibration_split", metadata={"images": str(len(shared))})


def _require_classes(dataset: Dataset) -> None:
    labels = sorted({label for item in dataset.items for label in item.attributes.labels})
    if len(labels) < 2:
        found = f"only the class {labels[0]}" if labels else "no class"
        raise InvalidRequestError(
            f"{dataset.name} has {found}, so every ranking of it would be equally good; two classes are needed",
            field="path",
            metadata={"classes": ", ".join(labels)},
        )
