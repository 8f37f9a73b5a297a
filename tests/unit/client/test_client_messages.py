"""Requests built from values, and answers from newer services."""

import sys
from subprocess import run

import numpy as np
import pytest

from xmirad.api.evidence import evidence_to_proto
from xmirad.api.v1 import archive_service_pb2, resources_pb2, retrieval_service_pb2
from xmirad.api.vocabulary import QueryItemExclusion, SearchView
from xmirad.client import parsing, requests, search_parsing
from xmirad.client.calls import Page
from xmirad.client.pages import entries_of_pages
from xmirad.client.search_types import Feedback, StreamedSearch
from xmirad.client.types import Upload
from xmirad.errors import InternalError, InvalidRequestError
from xmirad.evidence.weighing import Evidence, LabelEvidence
from xmirad.types import EncodedImage, ItemAttributes, ItemFilter, Patient, PatientPolicy

ITEM = "archives/covidx/items/0f8fad5b-d9cb-569f-a165-70867728950e"


def test_every_field_of_a_search_is_written() -> None:
    search = StreamedSearch(
        correlation_id="c",
        source=ITEM,
        top_k=7,
        filter=ItemFilter(labels=("a",)),
        patient=Patient("p"),
        patient_policy=PatientPolicy.GROUP,
        exclude_query_item=True,
        min_score=-0.5,
        exact=True,
        model="lite0",
        view=SearchView.BASIC,
        explain_top=3,
        evidence=True,
    )

    message = requests.stream_search_request("covidx", search)

    assert message.correlation_id == "c"
    written = {field.name for field, _ in message.search.ListFields()}
    sources = {"image", "dicom_file", "embedding", "feedback"}
    assert written == set(retrieval_service_pb2.SearchRequest.DESCRIPTOR.fields_by_name) - sources
    assert message.search.archive == "archives/covidx"
    assert message.search.model == "models/lite0"
    assert message.search.min_score == -0.5


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (EncodedImage(b"x"), "image"),
        (EncodedImage(b"x", frame=1), "dicom_file"),
        (ITEM, "item"),
        (np.ones(3, dtype=np.float32), "embedding"),
        (np.ones((1, 3), dtype=np.float64), "embedding"),
    ],
)
def test_a_search_is_asked_by_any_source(source: EncodedImage | str, written: str) -> None:
    message = requests.search_request("covidx", StreamedSearch("", source))

    assert message.WhichOneof("source") == written
    assert not message.HasField("min_score")
    assert not message.HasField("patient")


def test_feedback_carries_the_query_and_what_was_thought_of_items() -> None:
    for source, written in ((ITEM, "item"), (EncodedImage(b"x"), "image"), (np.ones(3, np.float32), "embedding")):
        message = requests.search_request("covidx", StreamedSearch("", Feedback(source, (ITEM,), ())))

        assert message.feedback.WhichOneof("source") == written
        assert (list(message.feedback.positive_items), list(message.feedback.negative_items)) == ([ITEM], [])


def test_evidence_is_read_as_it_was_written() -> None:
    told = Evidence((LabelEvidence("a", 0.75, 8), LabelEvidence("b", 0.25, 2)), 10, 3, 0.25, True, 147, 0.5, False)
    silent = Evidence((), 0, 0, None)

    for each in (told, silent):
        assert search_parsing.evidence(evidence_to_proto(each)) == each


def test_every_field_of_an_upload_is_written() -> None:
    upload = Upload(
        EncodedImage(b"x"), "c", "e", ItemAttributes(labels=("a",)), Patient("p"), restore_deleted=True, file_name="f"
    )

    item = requests.upload_items_request("covidx", upload).item

    written = {field.name for field, _ in item.ListFields()}
    assert written == set(archive_service_pb2.ItemUpload.DESCRIPTOR.fields_by_name) - {"dicom_file"}


@pytest.mark.parametrize(
    "upload",
    [
        Upload(EncodedImage(b"x"), external_id="\udce4"),
        Upload(EncodedImage(b"x"), attributes=ItemAttributes(labels=("\udce4",))),
        Upload(EncodedImage(b"x"), attributes=ItemAttributes(year=1 << 40)),
        Upload(EncodedImage(b"x", frame=1 << 40)),
    ],
)
def test_what_no_message_can_hold_is_refused_as_an_invalid_request(upload: Upload) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        requests.create_item_request("covidx", upload)


@pytest.mark.parametrize(("given", "sent"), [("", ""), ("lite0", "models/lite0"), ("models/ab", "models/ab")])
def test_a_model_may_be_named_in_short(given: str, sent: str) -> None:
    assert requests.model_name(given) == sent


def test_numbers_from_the_future_are_tolerated_in_answers() -> None:
    item = parsing.item(resources_pb2.Item(attributes=resources_pb2.ItemAttributes(sex=99)))  # type: ignore[arg-type]
    receipt = parsing.receipt(archive_service_pb2.UploadReceipt(state=99))  # type: ignore[arg-type]
    response = search_parsing.search_response(
        retrieval_service_pb2.SearchResponse(
            results=[retrieval_service_pb2.SearchResult(same_patient=99)],  # type: ignore[arg-type]
            query_item_exclusion=99,  # type: ignore[arg-type]
        ),
        archive="covidx",
    )

    assert item.attributes.sex is None
    assert receipt.state is None
    assert response.results[0].same_patient is None
    assert response.query_item_exclusion is QueryItemExclusion.NONE


def test_an_answer_of_a_stream_that_says_nothing_is_an_error() -> None:
    uploaded = parsing.upload_outcome(archive_service_pb2.UploadItemsResponse(correlation_id="c"))
    searched = search_parsing.streamed_outcome(
        retrieval_service_pb2.StreamSearchResponse(correlation_id="c"), archive="covidx"
    )

    assert isinstance(uploaded.error, InternalError)
    assert isinstance(searched.error, InternalError)
    assert uploaded.correlation_id == searched.correlation_id == "c"


def test_a_ranking_of_unequal_halves_is_an_error() -> None:
    ranking = retrieval_service_pb2.Ranking(item_ids=bytes(32), scores=[1.0])

    with pytest.raises(InternalError):
        search_parsing.search_response(retrieval_service_pb2.SearchResponse(ranking=ranking), archive="covidx")


def test_pages_that_never_end_are_an_error() -> None:
    with pytest.raises(InternalError, match="followed by itself"):
        list(entries_of_pages(lambda token: Page([1], "same")))


def test_an_empty_page_does_not_end_the_list() -> None:
    pages = {"": Page([1], "a"), "a": Page([], "b"), "b": Page([2], "")}

    assert list(entries_of_pages(pages.__getitem__)) == [1, 2]


SERVER_PACKAGES = ("torch", "openvino", "qdrant_client", "qdrant_edge", "fsspec", "pydicom", "grpc_health", "structlog")


def test_the_sdk_needs_no_server_packages() -> None:
    block = f"import sys; sys.modules.update(dict.fromkeys({SERVER_PACKAGES}))"

    done = run([sys.executable, "-c", f"{block}; import xmirad.client"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
