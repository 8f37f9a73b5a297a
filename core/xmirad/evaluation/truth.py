"""What is known of the items of an archive: labels, patients and sources, and who is relevant to whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xmirad.datasets import DatasetItem
from xmirad.evaluation.replay import IntArray
from xmirad.metrics.average_precision import BoolArray

UNKNOWN = -1


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Ground truth by position in the archive.

    Attributes:
        labels: All labels, sorted.
        has_label: `[N, L]`, which item carries which label.
        patients: `[N]`, a number for each patient, -1 where not known.
        sources: All sources, sorted.
        source_of: `[N]`, number of each item's source, -1 where not known.
    """

    labels: tuple[str, ...]
    has_label: BoolArray
    patients: IntArray
    sources: tuple[str, ...]
    source_of: IntArray

    def relevant(self, query: int) -> BoolArray:
        """Return `[N]`, which items share a label with the query. The query itself is not among them."""
        shared: BoolArray = self.has_label @ self.has_label[query]
        shared[query] = False
        return shared

    def same_patient(self, query: int) -> BoolArray:
        """Return `[N]`, which items are known to show the query's patient; none if the query's is not known."""
        if self.patients[query] == UNKNOWN:
            return np.zeros(len(self.patients), dtype=np.bool_)
        same: BoolArray = self.patients == self.patients[query]
        return same


def truth_of(items: Sequence[DatasetItem]) -> Truth:
    """Collect what is known of the items of an archive, in their order."""
    labels = tuple(sorted({label for item in items for label in item.attributes.labels}))
    has_label = np.array([[label in item.attributes.labels for label in labels] for item in items], dtype=np.bool_)
    patients = {patient: number for number, patient in enumerate(dict.fromkeys(item.patient for item in items))}
    sources = tuple(sorted({item.attributes.source for item in items} - {""}))
    numbers = {source: number for number, source in enumerate(sources)}
    return Truth(
        labels=labels,
        has_label=has_label.reshape(len(items), len(labels)),
        patients=_numbers([UNKNOWN if item.patient is None else patients[item.patient] for item in items]),
        sources=sources,
        source_of=_numbers([numbers.get(item.attributes.source, UNKNOWN) for item in items]),
    )


def _numbers(values: list[int]) -> npt.NDArray[np.intp]:
    return np.array(values, dtype=np.intp)
