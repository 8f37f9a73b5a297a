import numpy as np
import pytest

from support.archive_oracle import binding_of, random_items
from support.memory_archive import MemoryArchive
from xmirad.archive import counting
from xmirad.archive.conditions import All, AnyOf, Condition, ItemIs, Not, PayloadField
from xmirad.archive.counting import RememberedCounts

SITE = AnyOf(PayloadField.SITE, ("local",))
LABEL = AnyOf(PayloadField.LABELS, ("covid",))


class Counted:
    """An archive's counts, and the conditions that the archive itself was asked about."""

    def __init__(self) -> None:
        self.items = random_items(np.random.default_rng(1), 80)
        self.archive = MemoryArchive(binding_of(), self.items)
        self.asked: list[Condition | None] = []
        self.counts = RememberedCounts(self._count)

    def _count(self, where: Condition | None) -> int:
        self.asked.append(where)
        return self.archive.count(where)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_counts_are_those_of_the_archive_however_exclusions_are_put(counted: Counted) -> None:
    item, patient = counted.items[3].item, counted.items[5].payload.patient
    excluded = (Not(ItemIs((item,))), Not(AnyOf(PayloadField.PATIENT, (patient,))), Not(LABEL))
    conditions: list[Condition | None] = [
        None,
        SITE,
        All(()),
        Not(SITE),
        All((Not(SITE),)),
        All((SITE, *excluded)),
        All((All((SITE, LABEL)), *excluded[:2])),
        All((excluded[0], SITE)),
        All((SITE, Not(Not(LABEL)))),
        All((SITE, Not(All((LABEL, excluded[1]))))),
    ]
    for where in [*conditions, *conditions]:
        assert counted.counts.count(where) == counted.archive.count(where), where


def test_a_condition_is_counted_once_and_an_exclusion_by_what_it_excludes(counted: Counted) -> None:
    for item in counted.items[:5]:
        counted.counts.count(All((SITE, Not(ItemIs((item.item,))))))
    assert counted.asked.count(All((SITE,))) == 1
    others = [where for where in counted.asked if where != All((SITE,))]
    assert others == [All((SITE, ItemIs((item.item,)))) for item in counted.items[:5]]


def test_what_is_forgotten_is_counted_again(counted: Counted) -> None:
    before = counted.counts.count(None)
    counted.archive.delete([counted.items[0].item])
    counted.counts.forget()
    assert counted.counts.count(None) == before - 1


def test_no_more_is_remembered_than_allowed(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_REMEMBERED", 2)
    for label in ("a", "b", "c", "a"):
        counted.counts.count(AnyOf(PayloadField.LABELS, (label,)))
    assert len(counted.asked) == 4
