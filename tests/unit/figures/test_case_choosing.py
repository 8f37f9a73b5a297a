from collections.abc import Mapping
from pathlib import Path

import pytest

from support.fake_evaluation import MODEL, FakeService
from xmirad.datasets import Dataset, DatasetItem
from xmirad.datasets.digests import IdentifiedItem
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.options import EvaluationOptions, Silence
from xmirad.evaluation.run import Run
from xmirad.evaluation.uploading import FilledArchive
from xmirad.figures.choosing import Panel, drawn_panels, named_panels, require_queries
from xmirad.figures.ranking import RankedItem
from xmirad.figures.subject import Subject, subject_of
from xmirad.types import ItemAttributes, Patient


def subject(labels: str, patients: str = "") -> Subject:
    """Items named by letters of their classes; of a `.` nothing is known."""
    items = tuple(
        DatasetItem(
            Path(f"f{position}.png"),
            external_id=f"e{position}",
            attributes=ItemAttributes(labels=() if label == "." else (label,)),
            patient=Patient(patients[position]) if patients else None,
        )
        for position, label in enumerate(labels)
    )
    numbers = tuple(range(len(items)))
    names, images = tuple(f"i{n}" for n in numbers), tuple(IdentifiedItem(item, "0" * 64) for item in items)
    archive = FilledArchive("a", numbers, names, images=images, failures=(), stored=numbers, seconds=0.0)
    run = Run(FakeService(), Dataset("letters", items), MODEL, EvaluationOptions(), Silence())
    return subject_of(run, archive)


def ranked(about: Subject, results: Mapping[int, tuple[int, ...]]) -> dict[int, RankedItem]:
    return {
        query: RankedItem(
            query, found, (0.5,) * len(found), tuple(about.is_relevant(query, result) for result in found)
        )
        for query, found in results.items()
    }


def queries(panel: Panel) -> dict[str, int]:
    return {case.label: case.ranked.query for case in panel.cases}


def test_one_query_of_each_class_is_all_correct_and_another_all_incorrect() -> None:
    about = subject("xxxyyy")
    first = {0: (1, 2), 1: (3, 4), 2: (0, 3), 3: (4, 5), 4: (3, 0), 5: (1, 2)}
    correct, incorrect = drawn_panels(about, ranked(about, first), seed=0)
    assert (correct.letter, correct.title) == ("A", "first 2 results all correct")
    assert (incorrect.letter, incorrect.title) == ("B", "first 2 results all incorrect")
    assert queries(correct) == {"x": 0, "y": 3}
    assert queries(incorrect) == {"x": 1, "y": 5}
    assert [(case.alike, case.others) for case in correct.cases] == [(1, 3), (1, 3)]


def test_the_nearest_stands_in_where_no_query_is_like_that() -> None:
    about = subject("xxxyyy")
    first = {0: (1, 3), 1: (3, 0), 2: (0, 4), 3: (4, 5), 4: (5, 3), 5: (3, 4)}
    correct, incorrect = drawn_panels(about, ranked(about, first), seed=0)
    assert [(case.label, case.alike, case.ranked.correct) for case in correct.cases] == [("x", 0, 1), ("y", 3, 2)]
    assert [(case.label, case.alike, case.ranked.correct) for case in incorrect.cases] == [("x", 0, 1)]
    assert incorrect.absent == ("y",)


def test_a_class_of_one_image_has_no_correct_results() -> None:
    about = subject("xxxy")
    correct, incorrect = drawn_panels(about, ranked(about, {0: (1, 2), 1: (0, 2), 2: (0, 1), 3: (0, 1)}), seed=0)
    assert (set(queries(correct)), correct.absent) == ({"x"}, ("y",))
    assert (queries(incorrect), incorrect.absent) == ({"y": 3}, ("x",))


@pytest.mark.parametrize("seed", range(5))
def test_results_of_other_patients_are_preferred(seed: int) -> None:
    about = subject("xxxxyy", patients="ppqqrs")
    first = {0: (1, 2), 1: (0, 3), 2: (0, 1), 3: (2, 0), 4: (0, 1), 5: (0, 1)}
    correct, _ = drawn_panels(about, ranked(about, first), seed=seed)
    assert queries(correct) == {"x": 2}


def test_the_draw_depends_on_the_seed_alone() -> None:
    about = subject("x" * 20 + "y" * 20)
    first = {query: ((query + 1) % 20, (query + 2) % 20) for query in range(20)}
    first |= {query: (20 + (query + 1) % 20, 20 + (query + 2) % 20) for query in range(20, 40)}
    found = [queries(drawn_panels(about, ranked(about, first), seed=seed)[0]) for seed in (0, 0, 1, 2, 3)]
    assert found[0] == found[1]
    assert len({query["x"] for query in found}) > 1


@pytest.mark.parametrize(("labels", "message"), [("xxx", "only one is x"), ("...", "there is none")])
def test_fewer_than_two_classes_make_no_grid(labels: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        drawn_panels(subject(labels), {}, seed=0)


def test_at_most_eight_classes_are_shown() -> None:
    about = subject("abcdefghijaabbccddeeffgghhij")
    first = {query: ((query + 1) % 28, (query + 2) % 28) for query in range(28)}
    correct, incorrect = drawn_panels(about, ranked(about, first), seed=0)
    assert {*queries(correct), *correct.absent} <= set("abcdefgh")
    assert {*queries(incorrect), *incorrect.absent} == set("abcdefgh")


@pytest.mark.parametrize("name", ["e1", "f1", "f1.png"])
def test_queries_are_named_by_identifier_or_file(name: str) -> None:
    about = subject("xyx")
    require_queries(about.items, [name])
    (panel,) = named_panels(about, ranked(about, {0: (2,), 1: (0,), 2: (0,)}), [name])
    assert queries(panel) == {"y": 1}


@pytest.mark.parametrize("name", ["e9", "e2"])
def test_a_query_that_is_not_there_or_has_no_label_is_refused(name: str) -> None:
    about = subject("xy.")
    for refuse in (require_queries, lambda _, names: named_panels(about, {}, names)):
        with pytest.raises(InvalidRequestError) as refusal:
            refuse(about.items, [name])
        assert refusal.value.field == "query"
