from pathlib import Path

import pytest

from xmirad.datasets import DatasetItem
from xmirad.evaluation.sampling import Sample, drawn
from xmirad.evaluation.truth import Truth, truth_of
from xmirad.types import ItemAttributes

ITEMS = 60
INDICES = [3 * position for position in range(ITEMS)]


def truth(labels: list[tuple[str, ...]]) -> Truth:
    return truth_of(
        [DatasetItem(Path(f"{n}.png"), str(n), ItemAttributes(labels=each)) for n, each in enumerate(labels)]
    )


@pytest.fixture
def three() -> Truth:
    return truth([("xyz"[number % 3],) for number in range(ITEMS)])


def sample(known: Truth, *, per_class: int | None, seed: int = 0, candidates: range = range(ITEMS)) -> Sample:
    return drawn(known, candidates, indices=INDICES, per_class=per_class, seed=seed)


def test_each_class_has_as_many_queries_as_asked_for(three: Truth) -> None:
    found = sample(three, per_class=10)
    assert {label: len(queries) for label, queries in found.classes.items()} == {"x": 10, "y": 10, "z": 10}
    assert len(found.queries) == 30
    assert list(found.queries) == sorted(set(found.queries))
    for number, label in enumerate("xyz"):
        assert {query // 3 % 3 for query in found.classes[label]} == {number}


def test_equal_seeds_draw_equal_queries_and_others_draw_others(three: Truth) -> None:
    assert sample(three, per_class=5) == sample(three, per_class=5)
    assert sample(three, per_class=5) != sample(three, per_class=5, seed=1)


def test_a_larger_sample_holds_the_smaller_one(three: Truth) -> None:
    assert set(sample(three, per_class=3).queries) < set(sample(three, per_class=12).queries)


def test_a_class_that_is_too_small_is_taken_whole(three: Truth) -> None:
    found = sample(three, per_class=10, candidates=range(7))
    assert {label: len(queries) for label, queries in found.classes.items()} == {"x": 3, "y": 2, "z": 2}


def test_a_query_of_two_classes_counts_in_those_that_it_was_drawn_for() -> None:
    known = truth([("x", "y"), *[("x",)] * 20])
    found = sample(known, per_class=1, candidates=range(21))
    assert found.classes["y"] == (0,)
    assert len(found.classes["x"]) == 1
    assert set(found.queries) == {*found.classes["x"], 0}


def test_all_queries_are_taken_with_those_without_a_class() -> None:
    known = truth([("x",), (), ("y",)])
    found = sample(known, per_class=None, candidates=range(3))
    assert found == Sample((0, 3, 6), {"x": (0,), "y": (6,)})


def test_classes_without_a_candidate_are_left_out() -> None:
    assert sample(truth([("x",), ("y",)]), per_class=2, candidates=range(1)).classes == {"x": (0,)}
