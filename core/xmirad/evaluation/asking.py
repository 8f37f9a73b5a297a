"""Which images are searched with, and which items each of them must not find."""

from dataclasses import dataclass

from xmirad.datasets import Dataset, DatasetItem
from xmirad.datasets.digests import IdentifiedItem, identified
from xmirad.evaluation.options import Stage
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.uploading import FilledArchive, unreadable, unreadable_files


@dataclass(frozen=True, slots=True)
class Asked:
    """The queries, in a fixed order; a query's position is its number everywhere.

    Attributes:
        dataset: The data set that they are from.
        indices: Of every query, the index of its image in the data set, ascending.
        images: The queries with the digests of their files.
        leave_one_out: Whether the queries are the archive's items, in the same order.
        identical: Names of the files that were left out because an item is byte for byte the same.
        failures: The files that could not be read.
    """

    dataset: Dataset
    indices: tuple[int, ...]
    images: tuple[IdentifiedItem, ...]
    leave_one_out: bool
    identical: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def items(self) -> list[DatasetItem]:
        """The queries."""
        return [each.item for each in self.images]

    def __len__(self) -> int:
        """Return how many queries there are."""
        return len(self.indices)


def own_images(dataset: Dataset, archive: FilledArchive) -> Asked:
    """Ask with every image of an archive, each leaving its own item out."""
    return Asked(dataset, indices=archive.indices, images=archive.images, leave_one_out=True)


def images_beside(dataset: Dataset, archive: FilledArchive) -> Asked:
    """Ask an archive with images that are not its own.

    An image that is byte for byte an item would find itself, and is left out.
    """
    stored = {each.image_digest for each in archive.images}
    indices: list[int] = []
    images: list[IdentifiedItem] = []
    identical: list[str] = []
    failures: list[Failure] = list(unreadable_files(dataset, stage=Stage.SEARCH))
    for index, item in enumerate(dataset.items):
        try:
            image = identified(item)
        except OSError as error:
            failures.append(unreadable(item, error, stage=Stage.SEARCH))
            continue
        if image.image_digest in stored:
            identical.append(item.path.name)
        else:
            indices.append(index)
            images.append(image)
    return Asked(
        dataset,
        indices=tuple(indices),
        images=tuple(images),
        leave_one_out=False,
        identical=tuple(identical),
        failures=tuple(failures),
    )
