"""What is asked with, in every message that can hold it."""

import pytest

from xmirad.api.v1 import explanation_service_pb2 as explanations
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.archive.feedback import Judgments
from xmirad.errors import InvalidRequestError, PayloadTooLargeError
from xmirad.types import EncodedImage
from xmirad_services.retrieval.servicers.sources import source_from_proto

IDS = [f"{number:08d}-0000-5000-8000-000000000000" for number in range(3)]
NAMES = [f"archives/chest/items/{each}" for each in IDS]
LIMIT = 10


@pytest.mark.parametrize("field", ["", "query"])
def test_every_source_is_read_also_within_feedback(field: str) -> None:
    message = retrieval.SearchRequest if not field else explanations.ExplanationQuery
    for fields, expected in (({"item": NAMES[0]}, IDS[0]), ({"image": {"data": b"x"}}, EncodedImage(b"x", ""))):
        read = source_from_proto(message(**fields), archive="chest", max_image_bytes=LIMIT, field=field)
        assert read == (expected, None)
        feedback = resources.Feedback(**fields, positive_items=NAMES[1:2], negative_items=[NAMES[2], NAMES[2]])
        read = source_from_proto(message(feedback=feedback), archive="chest", max_image_bytes=LIMIT, field=field)
        assert read == (expected, Judgments((IDS[1],), (IDS[2],)))


@pytest.mark.parametrize(
    ("message", "field", "at"),
    [
        (retrieval.SearchRequest(), "", "source"),
        (explanations.ExplanationQuery(), "query", "query"),
        (retrieval.SearchRequest(feedback=resources.Feedback()), "", "feedback"),
        (explanations.ExplanationQuery(feedback=resources.Feedback()), "query", "query.feedback"),
    ],
)
def test_asking_with_nothing_names_what_may_be_asked_with(message: object, field: str, at: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"image, .*dicom_file, .*item.* and .* must be set") as caught:
        source_from_proto(message, archive="chest", max_image_bytes=LIMIT, field=field)
    assert caught.value.field == at


def test_an_image_within_feedback_is_held_to_the_limit_and_named_by_its_path() -> None:
    feedback = resources.Feedback(image=resources.Image(data=b"x" * (LIMIT + 1)), positive_items=NAMES[:1])
    with pytest.raises(PayloadTooLargeError) as caught:
        source_from_proto(retrieval.SearchRequest(feedback=feedback), archive="chest", max_image_bytes=LIMIT)
    assert caught.value.field == "feedback.image.data"
