"""Bad input: refused soon, by the right error, naming field and limit, and without harm to what follows."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from support.bad_images import BAD_IMAGES, good_image
from support.live_service import LiveService, live_service
from support.models import models_dir
from support.pictures import png
from support.raw_service import RawService, Refusal, assert_tells_no_internals, refusal
from xmirad.api.images import image_to_proto
from xmirad.api.v1 import archive_service_pb2 as archives
from xmirad.api.v1 import model_service_pb2 as models
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import (
    ArchiveNotFoundError,
    InvalidImageError,
    InvalidRequestError,
    ItemNotFoundError,
    ModelNotFoundError,
    PayloadTooLargeError,
    XmiradError,
)

ANSWER_SECONDS = 5.0
OVERHEAD_SECONDS = 1.5
"""What a busy machine may add to the five seconds after which a decoder is ended."""
MIB = 1 << 20
ARCHIVE = "archives/good"
UNKNOWN_ITEM = f"{ARCHIVE}/items/{UUID(int=7)}"
FOREIGN_ITEM = f"archives/other/items/{UUID(int=7)}"
GOOD = resources.Image(data=good_image().data)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("bad-input") / "home") as live:
        with live.start() as client:
            client.create_archive("good")
            client.create_item("good", Upload(png(1)))
        yield live


@pytest.fixture(scope="module")
def raw(service: LiveService) -> Iterator[RawService]:
    with RawService(service.address) as opened:
        yield opened


def assert_proper(failed: Refusal, service: LiveService) -> XmiradError:
    """Check what holds for every refusal."""
    error = failed.domain_error
    assert failed.seconds < ANSWER_SECONDS + OVERHEAD_SECONDS
    assert_tells_no_internals(error, service.home, models_dir())
    assert failed.details["ErrorInfo"].domain == "xmirad"
    assert failed.details["ErrorInfo"].reason == error.reason
    assert failed.request_id == error.metadata["request_id"]
    if error.field:
        assert [violation.field for violation in failed.details["BadRequest"].field_violations] == [error.field]
    return error


def search(source: Any = GOOD, **fields: Any) -> retrieval.SearchRequest:  # noqa: ANN401
    kinds = {resources.DicomFile: "dicom_file", resources.Embedding: "embedding", str: "item"}
    base = {"archive": ARCHIVE, "top_k": 3, kinds.get(type(source), "image"): source}
    return retrieval.SearchRequest(**(base | fields))


def upload(**fields: Any) -> archives.CreateItemRequest:  # noqa: ANN401
    return archives.CreateItemRequest(archive=ARCHIVE, item=archives.ItemUpload(**({"image": GOOD} | fields)))


def labeled(**attributes: Any) -> archives.CreateItemRequest:  # noqa: ANN401
    return upload(attributes=resources.ItemAttributes(**attributes))


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_refused_and_the_next_good_one_is_answered(
    service: LiveService, raw: RawService, name: str
) -> None:
    bad = BAD_IMAGES[name]
    error = assert_proper(refusal(raw.retrieval.Search, search(image_to_proto(bad.image))), service)
    if name == "frame_of_a_png":  # the contract has no place for a frame but a DICOM file
        assert isinstance(error, InvalidImageError)
    else:
        assert isinstance(error, bad.error)
        assert error.field.startswith(bad.field)
    assert raw.retrieval.Search(search()).results


def test_bad_images_of_an_upload_are_answered_each_by_its_own_error(service: LiveService, raw: RawService) -> None:
    uploads = [Upload(bad.image, correlation_id=name) for name, bad in BAD_IMAGES.items() if name != "frame_of_a_png"]
    uploads.append(Upload(png(2), correlation_id="good"))
    with Client(service.address) as client:
        outcomes = {outcome.correlation_id: outcome for outcome in client.upload("good", uploads)}
        assert set(outcomes) == {upload.correlation_id for upload in uploads}
        assert outcomes.pop("good").receipt is not None
        for name, outcome in outcomes.items():
            assert isinstance(outcome.error, BAD_IMAGES[name].error), name
            assert outcome.error.field.startswith(f"item.{BAD_IMAGES[name].field}"), name
            assert_tells_no_internals(outcome.error, service.home, models_dir())


@dataclass(frozen=True, slots=True)
class BadCall:
    """A request that must be refused.

    Attributes:
        method: Name of stub and method.
        request: Makes the request.
        error: The class of the error.
        field: The field that it names, or an empty string.
        limit: An entry of its metadata that tells the limit.
    """

    method: str
    request: Callable[[], object]
    error: type[XmiradError] = InvalidRequestError
    field: str = ""
    limit: tuple[str, str] | None = None


SEARCH, EMBED = "retrieval.Search", "retrieval.EmbedImage"
CREATE_ITEM, GET_ITEM, LIST_ITEMS = "archives.CreateItem", "archives.GetItem", "archives.ListItems"
RANKING = retrieval.SEARCH_VIEW_RANKING


def top_k(value: int, limit: tuple[str, str], **fields: Any) -> BadCall:  # noqa: ANN401
    return BadCall(SEARCH, lambda: search(top_k=value, **fields), field="top_k", limit=limit)


def vector(*values: float, field: str = "embedding", error: type[XmiradError] = InvalidRequestError) -> BadCall:
    return BadCall(SEARCH, lambda: search(resources.Embedding(values=values)), error, field=field)


def filtered(field: str, limit: tuple[str, str] | None = None, **values: Any) -> BadCall:  # noqa: ANN401
    wanted = resources.ItemFilter(**values)
    return BadCall(SEARCH, lambda: search(filter=wanted), field=f"filter.{field}", limit=limit)


def attribute(field: str, limit: tuple[str, str] | None = None, **values: Any) -> BadCall:  # noqa: ANN401
    return BadCall(CREATE_ITEM, lambda: labeled(**values), field=f"item.attributes.{field}", limit=limit)


ODD: Any = {"view": 77}
LEAST, MOST = ("minimum", "1"), ("maximum", "1000")
BAD_CALLS: dict[str, BadCall] = {
    "top_k of 0": top_k(0, LEAST),
    "negative top_k": top_k(-1, LEAST),
    "top_k beyond the limit": top_k(1001, MOST),
    "top_k beyond the limit of rankings": top_k(100_001, ("maximum", "100000"), view=RANKING),
    "no source": BadCall(SEARCH, lambda: retrieval.SearchRequest(archive=ARCHIVE, top_k=1), field="source"),
    "no image to embed": BadCall(EMBED, retrieval.EmbedImageRequest, field="image"),
    "no image to store": BadCall(CREATE_ITEM, lambda: archives.CreateItemRequest(archive=ARCHIVE), field="item.image"),
    "no archive": BadCall(SEARCH, lambda: search(archive=""), field="archive"),
    "malformed archive": BadCall(SEARCH, lambda: search(archive="archives/../etc"), field="archive"),
    "unknown archive": BadCall(SEARCH, lambda: search(archive="archives/unknown"), ArchiveNotFoundError),
    "unknown archive to store in": BadCall(
        CREATE_ITEM, lambda: archives.CreateItemRequest(archive="archives/unknown", item={"image": GOOD}),
        ArchiveNotFoundError,
    ),
    "malformed item": BadCall(SEARCH, lambda: search(f"{ARCHIVE}/items/1"), field="item"),
    "item of another archive": BadCall(SEARCH, lambda: search(FOREIGN_ITEM), field="item"),
    "unknown item": BadCall(SEARCH, lambda: search(UNKNOWN_ITEM), ItemNotFoundError, "item"),
    "unknown item to get": BadCall(
        GET_ITEM, lambda: archives.GetItemRequest(name=UNKNOWN_ITEM), ItemNotFoundError, "name"
    ),
    "malformed item to get": BadCall(GET_ITEM, lambda: archives.GetItemRequest(name="items/1"), field="name"),
    "upper-case item to get": BadCall(
        GET_ITEM, lambda: archives.GetItemRequest(name=f"{ARCHIVE}/items/{'A' * 8}-{'A' * 4}-4AAA-8AAA-{'A' * 12}"),
        field="name",
    ),
    "unknown item to delete": BadCall(
        "archives.DeleteItem", lambda: archives.DeleteItemRequest(name=UNKNOWN_ITEM), ItemNotFoundError, "name"
    ),
    "unknown item to show": BadCall(
        "archives.GetItemImage", lambda: archives.GetItemImageRequest(name=UNKNOWN_ITEM), ItemNotFoundError, "name"
    ),
    "unknown view": BadCall(SEARCH, lambda: search(view=77), field="view"),
    "unknown view of items": BadCall(
        LIST_ITEMS, lambda: archives.ListItemsRequest(archive=ARCHIVE, **ODD), field="view"
    ),
    "unknown policy": BadCall(SEARCH, lambda: search(patient_policy=77), field="patient_policy"),
    "blank patient": BadCall(
        SEARCH, lambda: search(patient=resources.Patient(issuer="clinic")), field="patient.patient_id"
    ),
    "min_score that is no number": BadCall(
        SEARCH, lambda: search(min_score=math.nan), field="min_score", limit=("maximum", "1")
    ),
    "min_score beyond 1": BadCall(SEARCH, lambda: search(min_score=1.1), field="min_score", limit=("maximum", "1")),
    "empty vector": vector(),
    "vector of zeros": vector(*[0.0] * 1280),
    "vector with NaN": vector(math.nan, *[1.0] * 1279),
    "vector with infinity": vector(math.inf, *[1.0] * 1279),
    "short vector": vector(1.0, 2.0, field="embedding.values"),
    "long vector": vector(*[1.0] * 1281, field="embedding.values"),
    "unknown label": filtered("labels", ("value", "zebra"), labels=["zebra"]),
    "blank label": filtered("labels[0]", labels=[" "]),
    "too many filter values": filtered("labels", ("max_count", "100"), labels=[str(n) for n in range(101)]),
    "reversed years": filtered("years.first", ("last", "1"), years=resources.IntRange(first=2, last=1)),
    "unknown sex": filtered("sexes[0]", sexes=[77]),
    "excluded item of another archive": filtered("excluded_items[0]", excluded_items=[FOREIGN_ITEM]),
    "too many excluded items": filtered("excluded_items", ("max_count", "1000"), excluded_items=[UNKNOWN_ITEM] * 1001),
    "unknown model": BadCall(SEARCH, lambda: search(model="models/unknown"), ModelNotFoundError, "model"),
    "unknown model to embed with": BadCall(
        EMBED, lambda: retrieval.EmbedImageRequest(image=GOOD, model="models/unknown"), ModelNotFoundError, "model"
    ),
    "unknown model to describe": BadCall(
        "models.GetModel", lambda: models.GetModelRequest(name="models/unknown"), ModelNotFoundError
    ),
    "model as a path": BadCall(
        "models.GetModel", lambda: models.GetModelRequest(name="models/../../etc/passwd"), ModelNotFoundError
    ),
    "malformed model": BadCall(SEARCH, lambda: search(model="unknown"), field="model"),
    "wrong media type": BadCall(
        SEARCH, lambda: search(resources.Image(data=GOOD.data, media_type="image/jpeg")), field="image.media_type"
    ),
    "unknown media type": BadCall(
        SEARCH, lambda: search(resources.Image(data=GOOD.data, media_type="image/gif")), field="image.media_type"
    ),
    "too many labels": attribute("labels", ("max_count", "32"), labels=[str(n) for n in range(33)]),
    "label too long": attribute("labels[0]", ("max_characters", "64"), labels=["x" * 65]),
    "label with a line break": attribute("labels[0]", labels=["a\nb"]),
    "data set too long": attribute("dataset", ("max_characters", "128"), dataset="x" * 129),
    "year 0": attribute("year", LEAST, year=0),
    "age band between decades": attribute("age_band", age_band=15),
    "age band beyond 90": attribute("age_band", ("maximum", "90"), age_band=100),
    "external id too long": BadCall(
        CREATE_ITEM, lambda: upload(external_id="x" * 257), field="item.external_id", limit=("max_characters", "256")
    ),
    "patient of an upload without an id": BadCall(
        CREATE_ITEM, lambda: upload(patient=resources.Patient()), field="item.patient.patient_id"
    ),
    "undecodable upload": BadCall(
        CREATE_ITEM, lambda: upload(image=resources.Image(data=b"x" * 100)), InvalidImageError, "item.image"
    ),
    "too many bytes": BadCall(
        SEARCH, lambda: search(resources.Image(data=bytes(60 * MIB + 1))), PayloadTooLargeError, "image.data",
        ("max_image_bytes", str(60 * MIB)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_request_is_refused_and_the_next_good_one_is_answered(
    service: LiveService, raw: RawService, name: str
) -> None:
    bad = BAD_CALLS[name]
    stub, _, method = bad.method.partition(".")
    error = assert_proper(refusal(getattr(getattr(raw, stub), method), bad.request()), service)
    assert type(error) is bad.error
    if bad.field:
        assert error.field == bad.field
    if bad.limit is not None:
        assert error.metadata[bad.limit[0]] == bad.limit[1]
    assert raw.retrieval.Search(search()).results


def test_a_message_beyond_the_limit_is_refused_with_the_limit(raw: RawService) -> None:
    failed = refusal(raw.retrieval.Search, search(resources.Image(data=bytes(64 * MIB))))
    assert isinstance(failed.error, PayloadTooLargeError)
    assert failed.domain_error.metadata["max_message_bytes"] == str(64 * MIB)
    assert raw.retrieval.Search(search()).results


def test_a_correlation_id_that_is_too_long_fails_its_own_upload_only(raw: RawService) -> None:
    item = archives.ItemUpload(image=GOOD)
    requests = [
        archives.UploadItemsRequest(correlation_id="x" * 129, archive=ARCHIVE, item=item),
        archives.UploadItemsRequest(correlation_id="good", item=item),
    ]
    answers = {answer.correlation_id: answer for answer in raw.archives.UploadItems(iter(requests))}
    assert answers["x" * 129].error.reason == "FIELD_INVALID"
    assert answers["x" * 129].error.field_violations[0].field == "correlation_id"
    assert answers["good"].HasField("receipt")


def test_an_upload_stream_must_name_its_archive(raw: RawService) -> None:
    request = archives.UploadItemsRequest(correlation_id="1", item=archives.ItemUpload(image=GOOD))
    answers = list(raw.archives.UploadItems(iter([request])))
    assert [answer.error.field_violations[0].field for answer in answers] == ["archive"]


def test_a_request_that_holds_nothing_fails_its_own_search_only(raw: RawService) -> None:
    requests = [
        retrieval.StreamSearchRequest(correlation_id="empty"),
        retrieval.StreamSearchRequest(correlation_id="good", search=search()),
    ]
    answers = {answer.correlation_id: answer for answer in raw.retrieval.StreamSearch(iter(requests))}
    assert answers["empty"].error.reason == "FIELD_INVALID"
    assert answers["good"].response.results
