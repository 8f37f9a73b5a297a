from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from support.archive_oracle import binding_of, random_items
from support.memory_archive import MemoryArchive
from xmirad.archive import filters
from xmirad.archive.conditions import All, AnyOf, PayloadField
from xmirad.archive.port import StoredItem
from xmirad.errors import InvalidRequestError
from xmirad.types import IntRange, ItemFilter, Sex


def labeled(label: str, *, site: str = "local") -> StoredItem:
    item = random_items(np.random.default_rng(list((site + label).encode())), 1)[0]
    attributes = replace(item.payload.attributes, labels=(label,))
    return replace(item, payload=replace(item.payload, site=site, attributes=attributes))


def test_the_site_is_always_asked_for() -> None:
    for asked in (ItemFilter(), ItemFilter(labels=("covid",)), ItemFilter(years=IntRange(2000, None))):
        condition = filters.conditions_of(asked, site="north")
        assert isinstance(condition, All)
        assert condition.conditions[0] == AnyOf(PayloadField.SITE, ("north",))


def test_every_field_of_a_filter_leads_to_a_condition() -> None:
    """A field that is added to filters must not be ignored in silence."""
    examples: dict[str, Any] = {
        "years": IntRange(2000, 2001),
        "age_bands": IntRange(0, None),
        "sexes": (Sex.MALE,),
        "excluded_items": ("6a1f0f3e-64a5-5d0c-9d0d-0b6f5a3c2f11",),
    }
    nothing = filters.conditions_of(ItemFilter(), site="local")
    for field in fields(ItemFilter):
        asked = replace(ItemFilter(), **{field.name: examples.get(field.name, ("value",))})
        assert filters.conditions_of(asked, site="local") != nothing, field.name


def test_a_reversed_range_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        filters.conditions_of(ItemFilter(years=IntRange(2005, 2004)), site="local")
    assert caught.value.field == "filter.years.first"


def test_excluded_items_must_be_ids() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        filters.conditions_of(ItemFilter(excluded_items=("archives/a/items/1",)), site="local")
    assert caught.value.field == "filter.excluded_items"


def test_values_of_other_sites_are_unknown_and_not_told() -> None:
    archive = MemoryArchive(binding_of(), [labeled("covid"), labeled("a secret", site="elsewhere")])
    with pytest.raises(InvalidRequestError) as caught:
        filters.unknown_values(archive, ItemFilter(labels=("a secret",)), site="local")
    assert caught.value.metadata == {"value": "a secret", "known_values": "covid"}


def test_a_long_list_of_known_values_is_cut() -> None:
    archive = MemoryArchive(binding_of(), [labeled(f"label-{index:02}") for index in range(25)])
    with pytest.raises(InvalidRequestError) as caught:
        filters.unknown_values(archive, ItemFilter(labels=("nothing",)), site="local")
    known = caught.value.metadata["known_values"]
    assert known.startswith("label-00, label-01, ")
    assert known.endswith("label-19 and 5 more")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (ItemFilter(labels=("x",)), "filter.labels"),
        (ItemFilter(modalities=("x",)), "filter.modalities"),
        (ItemFilter(body_parts=("x",)), "filter.body_parts"),
        (ItemFilter(view_positions=("x",)), "filter.view_positions"),
        (ItemFilter(splits=("x",)), "filter.splits"),
        (ItemFilter(datasets=("x",)), "filter.datasets"),
        (ItemFilter(sources=("x",)), "filter.sources"),
        (ItemFilter(sexes=(Sex.OTHER,)), "filter.sexes"),
    ],
)
def test_an_unknown_value_is_refused_under_its_field(asked: ItemFilter, field: str) -> None:
    archive = MemoryArchive(binding_of(), [labeled("covid")])
    with pytest.raises(InvalidRequestError) as caught:
        filters.unknown_values(archive, asked, site="local")
    assert caught.value.field == field


def test_known_values_and_empty_archives_pass() -> None:
    archive = MemoryArchive(binding_of(), [labeled("covid")])
    filters.unknown_values(archive, ItemFilter(labels=("covid",)), site="local")
    filters.unknown_values(MemoryArchive(binding_of()), ItemFilter(labels=("covid",)), site="local")
