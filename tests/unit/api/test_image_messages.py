"""Images in requests, and packed rankings."""

import numpy as np
import pytest

from xmirad.api.images import encoded_image_from_proto, image_to_proto
from xmirad.api.ranking import ranking_from_proto, ranking_to_proto
from xmirad.api.v1.archive_service_pb2 import ItemUpload
from xmirad.api.v1.resources_pb2 import DicomFile, Image
from xmirad.api.v1.retrieval_service_pb2 import EmbedImageRequest, Ranking, SearchRequest
from xmirad.errors import InvalidImageError, InvalidRequestError, PayloadTooLargeError, XmiradError
from xmirad.types import EncodedImage

PART_10 = bytes(128) + b"DICM" + b"rest"


@pytest.mark.parametrize("message_type", [ItemUpload, SearchRequest, EmbedImageRequest])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Image(data=b"abc", media_type="image/png"), EncodedImage(b"abc", "image/png")),
        (Image(data=b"abc"), EncodedImage(b"abc")),
        (DicomFile(data=b"abc"), EncodedImage(b"abc", "application/dicom")),
        (DicomFile(data=b"abc", frame=2), EncodedImage(b"abc", "application/dicom", 2)),
    ],
)
def test_an_image_is_read_from_every_message_that_has_one(
    message_type: type[ItemUpload | SearchRequest | EmbedImageRequest],
    source: Image | DicomFile,
    expected: EncodedImage,
) -> None:
    message = message_type(image=source) if isinstance(source, Image) else message_type(dicom_file=source)

    assert encoded_image_from_proto(message, max_image_bytes=3) == expected


@pytest.mark.parametrize(
    ("message", "error", "field"),
    [
        (ItemUpload(), InvalidRequestError, "item.image"),
        (ItemUpload(image=Image()), InvalidImageError, "item.image.data"),
        (ItemUpload(dicom_file=DicomFile()), InvalidImageError, "item.dicom_file.data"),
        (ItemUpload(image=Image(data=b"abcd")), PayloadTooLargeError, "item.image.data"),
        (ItemUpload(image=Image(data=b"a", media_type="image/gif")), InvalidRequestError, "item.image.media_type"),
        (ItemUpload(dicom_file=DicomFile(data=b"a", frame=0)), InvalidRequestError, "item.dicom_file.frame"),
    ],
)
def test_an_image_that_is_not_allowed_is_refused_by_name(
    message: ItemUpload, error: type[XmiradError], field: str
) -> None:
    with pytest.raises(error) as caught:
        encoded_image_from_proto(message, max_image_bytes=3, field="item")

    assert caught.value.field == field


def test_the_limit_in_bytes_is_named() -> None:
    with pytest.raises(PayloadTooLargeError) as caught:
        encoded_image_from_proto(SearchRequest(image=Image(data=b"abcd")), max_image_bytes=3)

    assert caught.value.metadata == {"max_image_bytes": "3", "image_bytes": "4"}


def test_a_search_by_item_has_no_image() -> None:
    with pytest.raises(InvalidRequestError):
        encoded_image_from_proto(SearchRequest(item="archives/a/items/b"), max_image_bytes=3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (EncodedImage(b"abc", "image/png"), Image(data=b"abc", media_type="image/png")),
        (EncodedImage(b"abc"), Image(data=b"abc")),
        (EncodedImage(b"abc", frame=3), DicomFile(data=b"abc", frame=3)),
        (EncodedImage(b"abc", "application/dicom"), DicomFile(data=b"abc")),
        (EncodedImage(PART_10), DicomFile(data=PART_10)),
        (EncodedImage(PART_10, "image/png"), Image(data=PART_10, media_type="image/png")),
    ],
)
def test_a_dicom_instance_is_sent_as_one(image: EncodedImage, message: Image | DicomFile) -> None:
    assert image_to_proto(image) == message


def test_a_ranking_passes_both_ways() -> None:
    items = ["0f8fad5b-d9cb-569f-a165-70867728950e", "7c9e6679-7425-50de-944b-e07fc1f90ae7"]
    scores = [float(np.float32(0.9)), -0.25]

    message = Ranking.FromString(ranking_to_proto(items, scores).SerializeToString())

    assert len(message.item_ids) == 32
    expected = [(f"archives/a/items/{item}", score) for item, score in zip(items, scores, strict=True)]
    assert list(ranking_from_proto(message, archive="a")) == expected


def test_a_ranking_without_a_score_for_each_item_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(ranking_from_proto(Ranking(item_ids=bytes(32), scores=[1.0]), archive="a"))
