"""What the figures are about: a data set in the archive of an evaluation."""

from dataclasses import dataclass

from xmirad.datasets import DatasetItem
from xmirad.evaluation.run import Run
from xmirad.evaluation.uploading import FilledArchive
from xmirad.figures.palette import in_order

DIGEST_CHARACTERS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A data set in its archive. Positions are those of `FilledArchive.names`.

    Attributes:
        run: The evaluation that the archive belongs to.
        archive: The archive.
        items: What is known of every item, by position.
    """

    run: Run
    archive: FilledArchive
    items: tuple[DatasetItem, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the paper's order."""
        return in_order(label for item in self.items for label in item.attributes.labels)

    @property
    def model_words(self) -> str:
        """The model, for captions."""
        return f"{self.run.model.display_name} (digest {self.run.model.digest[:DIGEST_CHARACTERS]})"

    def members(self, label: str) -> list[int]:
        """Return the positions of a class."""
        return [position for position, item in enumerate(self.items) if label in item.attributes.labels]

    def is_relevant(self, query: int, result: int) -> bool:
        """Return whether two items share a label."""
        one, other = self.items[query].attributes.labels, self.items[result].attributes.labels
        return not set(one).isdisjoint(other)

    def is_same_patient(self, query: int, result: int) -> bool:
        """Return whether two items are known to show one patient."""
        patient = self.items[query].patient
        return patient is not None and patient == self.items[result].patient

    def file(self, position: int) -> str:
        """Return the name of an item's file."""
        return self.items[position].path.name


def subject_of(run: Run, archive: FilledArchive) -> Subject:
    """Return what the figures are about."""
    return Subject(run, archive, tuple(run.dataset.items[index] for index in archive.indices))
