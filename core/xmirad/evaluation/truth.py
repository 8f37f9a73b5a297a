"""What is known of queries and items: labels, patients and sources, and who is relevant to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.datasets import DatasetItem
from xmirad.metrics.average_precision import BoolArray
from xmirad.types import Patient

UNKNOWN = -1
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of some images, by their position.

    Attributes:
        has_label: `[N, L]`, which image carries which label.
        patients: `[N]`, a number for each patient, -1 where not known.
        source_of: `[N]`, number of each image's source, -1 where not known.
    """

    has_label: BoolArray
    patients: IntArray
    source_of: IntArray

    def __len__(self) -> int:
        """Return how many images these are."""
        return len(self.patients)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Ground truth of queries and of the items that they are ranked against.

    Attributes:
        labels: All labels, sorted.
        sources: All sources, sorted.
        items: What is known of the archive's items.
        queries: What is known of the queries.
        leave_one_out: Whether the queries are the items, in the same order.
    """

    labels: tuple[str, ...]
    sources: tuple[str, ...]
    items: Known
    queries: Known
    leave_one_out: bool

    def relevant(self, query: int) -> BoolArray:
        """Return `[N]`, which items share a label with the query. The query itself is not among them."""
        shared: BoolArray = self.items.has_label @ self.queries.has_label[query]
        if self.leave_one_out:
            shared[query] = False
        return shared

    def same_patient(self, query: int) -> BoolArray:
        """Return `[N]`, which items are known to show the query's patient; none if the query's is not known."""
        return _equal(self.items.patients, self.queries.patients[query])

    def same_source(self, query: int) -> BoolArray:
        """Return `[N]`, which items are known to be from the query's source; none if the query's is not known."""
        return _equal(self.items.source_of, self.queries.source_of[query])


def truth_of(items: Sequence[DatasetItem], *, queries: Sequence[DatasetItem] | None = None) -> Truth:
    """Collect what is known.

    Args:
        items: The items of the archive, in their order.
        queries: The queries; None: each item is one.
    """
    everything = [*items, *(queries or ())]
    labels = tuple(sorted({label for item in everything for label in item.attributes.labels}))
    sources = tuple(sorted({item.attributes.source for item in everything} - {""}))
    patients = {patient: number for number, patient in enumerate(dict.fromkeys(item.patient for item in everything))}
    known = _known(items, labels, sources, patients)
    return Truth(
        labels=labels,
        sources=sources,
        items=known,
        queries=known if queries is None else _known(queries, labels, sources, patients),
        leave_one_out=queries is None,
    )


def _known(
    items: Sequence[DatasetItem], labels: Sequence[str], sources: Sequence[str], patients: Mapping[Patient | None, int]
) -> Known:
    numbers = {source: number for number, source in enumerate(sources)}
    has_label = np.array([[label in item.attributes.labels for label in labels] for item in items], dtype=np.bool_)
    return Known(
        has_label=has_label.reshape(len(items), len(labels)),
        patients=_numbers([UNKNOWN if item.patient is None else patients[item.patient] for item in items]),
        source_of=_numbers([numbers.get(item.attributes.source, UNKNOWN) for item in items]),
    )


def _equal(values: IntArray, value: int) -> BoolArray:
    same: BoolArray = values == value if value != UNKNOWN else np.zeros(len(values), dtype=np.bool_)
    return same


def _numbers(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.intp)
