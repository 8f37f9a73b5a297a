"""Closed sets and the enums of the contract."""

from enum import StrEnum
from typing import Any

import pytest

from xmirad.api import enums
from xmirad.api.enums import EnumTable
from xmirad.api.v1 import archive_service_pb2, resources_pb2, retrieval_service_pb2
from xmirad.api.vocabulary import QueryItemExclusion
from xmirad.errors import InvalidRequestError
from xmirad.types import PatientPolicy, Sex

PAIRS: list[tuple[EnumTable[Any], Any]] = [
    (enums.SEX, resources_pb2.Sex),
    (enums.ITEM_VIEW, resources_pb2.ItemView),
    (enums.ORIGINALS_POLICY, archive_service_pb2.OriginalsPolicy),
    (enums.UPLOAD_STATE, archive_service_pb2.UploadState),
    (enums.PATIENT_POLICY, retrieval_service_pb2.PatientPolicy),
    (enums.SEARCH_VIEW, retrieval_service_pb2.SearchView),
    (enums.SAME_PATIENT, retrieval_service_pb2.SamePatient),
    (enums.QUERY_ITEM_EXCLUSION, retrieval_service_pb2.QueryItemExclusion),
]


@pytest.mark.parametrize(("table", "enum"), PAIRS)
def test_every_number_has_a_member_and_comes_back_under_its_name(table: EnumTable[Any], enum: Any) -> None:  # noqa: ANN401
    for name, number in enum.items():
        if number:
            member: StrEnum = table.from_proto(number, field="x")
            assert table.to_proto(member) == name
            assert table.read(number) is member
            assert name.endswith(f"_{member.name}")


@pytest.mark.parametrize(("table", "enum"), PAIRS)
def test_a_number_from_the_future_is_refused_in_requests_and_tolerated_in_answers(
    table: EnumTable[Any],
    enum: Any,  # noqa: ANN401
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        table.from_proto(99, field="search.view")

    assert caught.value.field == "search.view"
    assert set(caught.value.metadata["allowed"].split(", ")) == set(enum.keys()) - {enum.Name(0)}
    assert table.read(99) is table.read(0)


def test_zero_stands_for_the_default_where_there_is_one() -> None:
    assert enums.PATIENT_POLICY.from_proto(0, field="patient_policy") is PatientPolicy.INCLUDE
    assert enums.QUERY_ITEM_EXCLUSION.to_proto(QueryItemExclusion.NONE) == "QUERY_ITEM_EXCLUSION_UNSPECIFIED"


def test_zero_is_refused_where_there_is_no_default() -> None:
    with pytest.raises(InvalidRequestError, match=r"filter\.sexes"):
        enums.SEX.from_proto(0, field="filter.sexes[0]")
    assert enums.SEX.optional_from_proto(0, field="sex") is None
    assert enums.SEX.to_proto(None) == "SEX_UNSPECIFIED"
    assert enums.SEX.to_proto(Sex.FEMALE) == "SEX_FEMALE"
