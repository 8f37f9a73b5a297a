from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmirad.metrics.voting import majority


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 8))
def test_the_vote_equals_the_slow_oracle(kinds: list[int], neighbors: int) -> None:
    nearest = kinds[:neighbors]
    counts = Counter(nearest)
    winners = [kind for kind in counts if counts[kind] == max(counts.values())]
    assert majority(np.array(kinds), neighbors=neighbors) == min(winners, key=nearest.index)


def test_without_results_there_is_no_vote() -> None:
    assert majority(np.array([], dtype=np.intp)) is None


def test_a_vote_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        majority(np.array([1]), neighbors=0)
