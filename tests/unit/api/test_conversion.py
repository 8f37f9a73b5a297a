"""Values and messages: everything passes both ways, and what is not allowed names its field."""

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from xmirad.api.conversion import (
    attributes_from_proto,
    attributes_to_proto,
    embedding_from_proto,
    embedding_to_proto,
    filter_from_proto,
    filter_to_proto,
    geometry_to_proto,
    item_from_proto,
    patient_from_proto,
    patient_to_proto,
    time_to_proto,
)
from xmirad.api.v1 import resources_pb2
from xmirad.errors import InvalidRequestError
from xmirad.types import ImageGeometry, IntRange, ItemAttributes, ItemFilter, Patient, Sex

ITEM = "0f8fad5b-d9cb-569f-a165-70867728950e"
OTHER = "7c9e6679-7425-50de-944b-e07fc1f90ae7"

words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=64)
ranges = st.tuples(st.integers(-5, 3000), st.integers(-5, 3000)).map(sorted).map(lambda ends: IntRange(*ends))
attribute_values = st.builds(
    ItemAttributes,
    labels=st.lists(words, max_size=32, unique=True).map(tuple),
    **{name: words | st.just("") for name in ("dataset", "split", "source", "modality", "body_part", "view_position")},
    year=st.none() | st.integers(1, 9999),
    sex=st.none() | st.sampled_from(Sex),
    age_band=st.none() | st.integers(0, 9).map(lambda band: band * 10),
    synthetic=st.booleans(),
)
FILTER_WORDS = ("labels", "modalities", "body_parts", "view_positions", "splits", "datasets", "sources")
filter_values = st.builds(
    ItemFilter,
    **{name: st.lists(words, max_size=5, unique=True).map(tuple) for name in FILTER_WORDS},
    years=st.none() | ranges | st.just(IntRange(first=3)) | st.just(IntRange(last=0)),
    sexes=st.lists(st.sampled_from(Sex), unique=True).map(tuple),
    age_bands=st.none() | ranges,
    excluded_items=st.lists(st.uuids().map(str), max_size=3, unique=True).map(tuple),
)


AnyMessage = TypeVar("AnyMessage", bound=Message)


def over_the_wire(message: AnyMessage) -> AnyMessage:
    return type(message).FromString(message.SerializeToString())


@given(attribute_values)
def test_attributes_pass_both_ways(attributes: ItemAttributes) -> None:
    assert attributes_from_proto(over_the_wire(attributes_to_proto(attributes))) == attributes


@given(filter_values)
def test_filters_pass_both_ways(item_filter: ItemFilter) -> None:
    message = over_the_wire(filter_to_proto(item_filter, archive="covidx"))

    assert filter_from_proto(message, archive="covidx") == item_filter


def test_a_filter_accepts_names_and_ids_of_items() -> None:
    item_filter = ItemFilter(excluded_items=(ITEM, f"archives/covidx/items/{OTHER}"))

    message = filter_to_proto(item_filter, archive="covidx")

    assert list(message.excluded_items) == [f"archives/covidx/items/{ITEM}", f"archives/covidx/items/{OTHER}"]
    assert filter_from_proto(message, archive="covidx").excluded_items == (ITEM, OTHER)


def test_a_range_that_is_open_at_both_ends_asks_nothing() -> None:
    message = resources_pb2.ItemFilter(years=resources_pb2.IntRange())

    assert filter_from_proto(message, archive="covidx") == ItemFilter()


def test_repeated_labels_count_once_in_the_order_of_their_first_mention() -> None:
    assert attributes_from_proto(resources_pb2.ItemAttributes(labels=["b", "a", "b"])).labels == ("b", "a")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"labels": ["ok", ""]}, "attributes.labels[1]"),
        ({"labels": ["  "]}, "attributes.labels[0]"),
        ({"labels": ["pneumonia "]}, "attributes.labels[0]"),
        ({"labels": ["a\u200bb"]}, "attributes.labels[0]"),
        ({"labels": ["x" * 65]}, "attributes.labels[0]"),
        ({"labels": [str(number) for number in range(33)]}, "attributes.labels"),
        ({"dataset": "x" * 129}, "attributes.dataset"),
        ({"split": "a\nb"}, "attributes.split"),
        ({"source": " "}, "attributes.source"),
        ({"modality": " DX"}, "attributes.modality"),
        ({"body_part": "\t"}, "attributes.body_part"),
        ({"view_position": "x" * 129}, "attributes.view_position"),
        ({"year": 0}, "attributes.year"),
        ({"year": 10_000}, "attributes.year"),
        ({"sex": 17}, "attributes.sex"),
        ({"age_band": -10}, "attributes.age_band"),
        ({"age_band": 100}, "attributes.age_band"),
        ({"age_band": 45}, "attributes.age_band"),
    ],
)
def test_attributes_out_of_range_are_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        attributes_from_proto(resources_pb2.ItemAttributes(**values))

    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("values", "field"),
    [
        *(({name: [""]}, f"filter.{name}[0]") for name in FILTER_WORDS),
        *(({name: ["x"] * 101}, f"filter.{name}") for name in FILTER_WORDS),
        ({"years": {"first": 2021, "last": 2020}}, "filter.years.first"),
        ({"age_bands": {"first": 20, "last": 10}}, "filter.age_bands.first"),
        ({"sexes": [1, 0]}, "filter.sexes[1]"),
        ({"sexes": [9]}, "filter.sexes[0]"),
        ({"excluded_items": [ITEM]}, "filter.excluded_items[0]"),
        ({"excluded_items": [f"archives/other/items/{ITEM}"]}, "filter.excluded_items[0]"),
        ({"excluded_items": [f"archives/covidx/items/{ITEM}"] * 1001}, "filter.excluded_items"),
    ],
)
def test_filters_out_of_range_are_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        filter_from_proto(resources_pb2.ItemFilter(**values), archive="covidx")

    assert caught.value.field == field


def test_the_limit_is_named_beside_the_field() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        attributes_from_proto(resources_pb2.ItemAttributes(labels=["x" * 65]), field="item.attributes")

    assert caught.value.message == "item.attributes.labels[0] must be at most 64 characters long"
    assert caught.value.metadata == {"max_characters": "64", "characters": "65"}


def test_an_unknown_enum_number_is_answered_with_the_words_that_are_allowed() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        attributes_from_proto(resources_pb2.ItemAttributes(sex=17))  # type: ignore[arg-type]

    assert caught.value.metadata == {"allowed": "SEX_FEMALE, SEX_MALE, SEX_OTHER"}


def test_patients_pass_both_ways() -> None:
    patient = Patient(patient_id=" 007", issuer="Hospital")
    message = patient_to_proto(patient)

    assert message is not None
    assert patient_from_proto(message) == patient
    assert patient_to_proto(None) is None


@pytest.mark.parametrize(
    ("patient", "field"),
    [
        (Patient(""), "patient.patient_id"),
        (Patient("  "), "patient.patient_id"),
        (Patient("x" * 257), "patient.patient_id"),
        (Patient("1", issuer="x" * 257), "patient.issuer"),
    ],
)
def test_a_patient_that_is_none_is_refused_without_being_named(patient: Patient, field: str) -> None:
    message = patient_to_proto(patient)
    assert message is not None
    with pytest.raises(InvalidRequestError) as caught:
        patient_from_proto(message)

    assert caught.value.field == field
    assert "xxx" not in caught.value.message + str(caught.value.metadata)


def test_an_embedding_passes_both_ways_without_losing_a_bit() -> None:
    embedding = np.random.default_rng(1).normal(size=1280).astype(np.float32)

    received = embedding_from_proto(over_the_wire(embedding_to_proto(embedding)))

    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, embedding)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, float("nan")], [float("inf"), 1.0]])
def test_an_embedding_without_a_direction_is_refused(values: list[float]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        embedding_from_proto(resources_pb2.Embedding(values=values))

    assert caught.value.field == "embedding"


def test_geometry_is_written_field_by_field() -> None:
    geometry = ImageGeometry(*range(1, 8))

    message = geometry_to_proto(geometry)

    assert {f.name: getattr(message, f.name) for f in fields(geometry)} == {
        f.name: getattr(geometry, f.name) for f in fields(geometry)
    }


def test_an_item_of_another_archive_is_refused() -> None:
    name = f"archives/covidx/items/{ITEM}"

    assert item_from_proto(name, archive="covidx", field="item") == ITEM
    with pytest.raises(InvalidRequestError, match="archive isic"):
        item_from_proto(name, archive="isic", field="item")


def test_times_keep_their_microseconds() -> None:
    assert time_to_proto(1_700_000_000.25).ToJsonString() == "2023-11-14T22:13:20.250Z"


def test_every_attribute_is_written() -> None:
    full = ItemAttributes(("a",), "b", "c", "d", "e", "f", "g", 2020, Sex.OTHER, 10, synthetic=True)
    descriptor = resources_pb2.ItemAttributes.DESCRIPTOR

    assert {f.name for f in fields(full)} == set(descriptor.fields_by_name)
    assert len(attributes_to_proto(full).ListFields()) == len(fields(full))
    assert attributes_to_proto(replace(full, year=None)).HasField("year") is False
