import numpy as np
import pytest

from xmirad.metrics.average_precision import average_precision
from xmirad.metrics.patients import without_same_patient


def test_the_same_patients_items_count_neither_way() -> None:
    relevant = np.array([True, False, True, False])
    same_patient = np.array([True, True, False, False])
    left = without_same_patient(relevant, same_patient)
    assert left.tolist() == [True, False]
    assert average_precision(left) == pytest.approx(1.0)


def test_a_query_whose_only_relevant_items_are_the_same_patients_has_no_figures() -> None:
    left = without_same_patient(np.array([True, False]), np.array([True, False]))
    with pytest.raises(ValueError, match="undefined"):
        average_precision(left)


def test_nothing_changes_where_no_item_is_the_same_patients() -> None:
    left = without_same_patient(np.array([False, True]), np.array([False, False]))
    assert left.tolist() == [False, True]
