"""Items over the wire: storing, reading, changing and deleting them."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from support.live_service import LiveService, live_service
from support.pictures import png
from support.raw_service import RawService, refusal
from support.sample_items import PATIENTS, SAMPLES, samples, store_samples
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.api.vocabulary import ItemView
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import InvalidRequestError, ItemAlreadyExistsError, ItemDeletedError, ItemNotFoundError
from xmirad.ids import image_digest
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, prepare
from xmirad.types import ItemAttributes, ItemFilter, OriginalsPolicy, Patient, UploadState

SAMPLE_ARCHIVE = "samples"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("items") / "home") as live:
        live.start().close()
        yield live


@pytest.fixture
def client(service: LiveService) -> Iterator[Client]:
    with Client(service.address) as connected:
        yield connected


@pytest.fixture(scope="module")
def names(service: LiveService) -> dict[int, str]:
    """Store the samples in an archive that no test changes, and return their names."""
    with Client(service.address) as client:
        return store_samples(client, SAMPLE_ARCHIVE)


@pytest.fixture(scope="module")
def archive(service: LiveService) -> str:
    """Return an archive that tests fill, each with pictures of its own; a fresh one for each would take seconds."""
    with Client(service.address) as client:
        client.create_archive("filled")
    return "filled"


def blobs_of(service: LiveService, digest: str) -> list[Path]:
    return [path for path in (service.home / "blobs").rglob("*") if path.is_file() and digest in path.as_posix()]


def test_each_view_shows_more_of_an_item(client: Client, archive: str) -> None:
    attributes = ItemAttributes(labels=("normal",), modality="DX", year=2020, synthetic=True)
    upload = Upload(png(201), external_id="scan-1", attributes=attributes, file_name="s/1.png")
    name = client.create_item(archive, upload).item
    basic, full, embedded = (client.get_item(name, view=view) for view in ItemView)
    for item in (basic, full, embedded):
        assert (item.name, item.attributes) == (name, attributes)
        assert item.image_digest == hashlib.sha256(png(201).data).hexdigest()
    assert (basic.geometry, basic.identity, basic.create_time, basic.embedding) == (None, None, None, None)
    for item in (full, embedded):
        assert item.geometry is not None
        assert (item.geometry.original_width, item.geometry.crop_size) == (64, 224)
        assert item.identity is not None
        assert (item.identity.external_id, item.identity.frame) == ("scan-1", 0)
        assert item.identity.file_name == "s/1.png"
        assert item.create_time is not None
    assert full.embedding is None
    assert embedded.embedding is not None
    assert np.array_equal(embedded.embedding, client.embed_image(png(201)).embedding)


def test_items_are_listed_page_by_page_in_the_order_of_their_ids(
    service: LiveService, client: Client, names: dict[int, str]
) -> None:
    listed: list[str] = []
    with RawService(service.address) as raw:
        token = ""
        while True:
            request = pb.ListItemsRequest(archive=f"archives/{SAMPLE_ARCHIVE}", page_size=7, page_token=token)
            page = raw.archives.ListItems(request)
            listed += [item.name for item in page.items]
            token = page.next_page_token
            if not token:
                break
            assert len(page.items) == 7
    assert listed == sorted(names.values())
    assert [item.name for item in client.list_items(SAMPLE_ARCHIVE)] == listed


def test_a_list_is_filtered(client: Client, names: dict[int, str]) -> None:
    wanted = ItemFilter(labels=("covid",), splits=("test",))
    found = {item.name for item in client.list_items(SAMPLE_ARCHIVE, filter=wanted)}
    expected = {s.number for s in samples() if "covid" in s.attributes.labels and s.attributes.split == "test"}
    assert found == {names[number] for number in expected}
    with pytest.raises(InvalidRequestError) as caught:
        list(client.list_items(SAMPLE_ARCHIVE, filter=ItemFilter(labels=("misspelled",))))
    assert caught.value.field == "filter.labels"


@pytest.mark.parametrize("token", ["nonsense", "x" * 65, "00000000-0000-0000-0000-00000000000g"])
def test_a_page_token_that_no_page_had_is_refused(service: LiveService, archive: str, token: str) -> None:
    with RawService(service.address) as raw:
        request = pb.ListItemsRequest(archive=f"archives/{archive}", page_token=token)
        error = refusal(raw.archives.ListItems, request).domain_error
    assert isinstance(error, InvalidRequestError)
    assert error.field == "page_token"


def test_several_items_are_returned_in_the_order_asked_for(client: Client, names: dict[int, str]) -> None:
    unknown = f"archives/{SAMPLE_ARCHIVE}/items/{uuid4()}"
    asked = [names[9], unknown, names[2], names[5]]
    found = client.batch_get_items(SAMPLE_ARCHIVE, asked, view=ItemView.FULL)
    assert [item.name for item in found] == [names[9], names[2], names[5]]
    assert [item.identity.external_id for item in found if item.identity] == ["sample-9", "sample-2", "sample-5"]


def test_a_batch_has_a_limit_and_one_archive(service: LiveService, names: dict[int, str]) -> None:
    item = names[0]
    with RawService(service.address) as raw:
        many = pb.BatchGetItemsRequest(archive=f"archives/{SAMPLE_ARCHIVE}", names=[item] * 1001)
        error = refusal(raw.archives.BatchGetItems, many).domain_error
        assert (error.field, error.metadata["max_count"]) == ("names", "1000")
        foreign = pb.BatchGetItemsRequest(
            archive=f"archives/{SAMPLE_ARCHIVE}", names=[item, f"archives/b/items/{uuid4()}"]
        )
        assert refusal(raw.archives.BatchGetItems, foreign).domain_error.field == "names[1]"


def test_the_picture_of_an_item_is_the_input_of_the_model(client: Client, archive: str) -> None:
    name = client.create_item(archive, Upload(png(202, size=300))).item
    picture = Image.open(io.BytesIO(client.item_image(name)))
    expected, _ = prepare(Image.open(io.BytesIO(png(202, size=300).data)).convert("RGB"), EFFICIENTNET_LITE)
    assert picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), expected)


def test_sending_the_same_again_changes_nothing(client: Client, archive: str) -> None:
    upload = Upload(
        png(203), external_id="sending_the_same_aga", attributes=ItemAttributes(labels=("a",)), patient=Patient("p")
    )
    first, second = client.create_item(archive, upload), client.create_item(archive, upload)
    assert (first.state, second.state) == (UploadState.CREATED, UploadState.UNCHANGED)
    assert (first.item, first.image_digest) == (second.item, second.image_digest)


def test_other_attributes_of_the_same_image_replace_the_old_ones(client: Client, archive: str) -> None:
    first = client.create_item(
        archive, Upload(png(204), external_id="other_attributes_of_", attributes=ItemAttributes(labels=("before",)))
    )
    created = client.get_item(first.item, view=ItemView.FULL)
    changed = ItemAttributes(labels=("after",), year=1999)
    receipt = client.create_item(archive, Upload(png(204), external_id="other_attributes_of_", attributes=changed))
    item = client.get_item(first.item, view=ItemView.FULL)
    assert (receipt.item, receipt.state) == (first.item, UploadState.UPDATED)
    assert (item.attributes, item.create_time) == (changed, created.create_time)
    assert client.search(archive, first.item, filter=ItemFilter(labels=("after",))).results[0].labels == ("after",)
    with pytest.raises(InvalidRequestError):
        client.search(archive, first.item, filter=ItemFilter(labels=("before",)))


def test_another_image_of_the_same_identity_is_refused_and_the_first_one_stays(
    service: LiveService, client: Client, archive: str
) -> None:
    item = client.create_item(archive, Upload(png(205), external_id="another_image_of_the")).item
    before = client.get_item(item, view=ItemView.EMBEDDING)
    with pytest.raises(ItemAlreadyExistsError) as caught:
        client.create_item(
            archive, Upload(png(206), external_id="another_image_of_the", attributes=ItemAttributes(labels=("new",)))
        )
    assert caught.value.metadata["item"] == item
    after = client.get_item(item, view=ItemView.EMBEDDING)
    assert (after.image_digest, after.attributes) == (before.image_digest, before.attributes)
    assert not blobs_of(service, image_digest(png(206).data))


def test_images_without_an_identifier_are_known_by_their_content(client: Client, archive: str) -> None:
    first, second = client.create_item(archive, Upload(png(207))), client.create_item(archive, Upload(png(207)))
    assert first.item == second.item
    assert second.state is UploadState.UNCHANGED


def test_deleting_an_item_deletes_everything_of_its_image(service: LiveService, client: Client, archive: str) -> None:
    name = client.create_item(archive, Upload(png(77), external_id="x")).item
    kept = client.create_item(archive, Upload(png(78))).item
    digest = image_digest(png(77).data)
    assert len(blobs_of(service, digest)) == 2
    client.delete_item(name)
    assert blobs_of(service, digest) == []
    assert name not in {item.name for item in client.list_items(archive)}
    found = {result.item for result in client.search(archive, png(77), top_k=100).results}
    assert kept in found
    assert name not in found
    for call in (client.get_item, client.item_image, client.delete_item):
        with pytest.raises(ItemNotFoundError):
            call(name)
    with pytest.raises(ItemNotFoundError):
        client.search(archive, name)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same archive", "another archive"])
def test_an_image_that_another_item_uses_is_kept(
    service: LiveService, client: Client, archive: str, names: dict[int, str], elsewhere: bool
) -> None:
    picture = png(79 + elsewhere)
    first = client.create_item(archive, Upload(picture, external_id=f"first-{elsewhere}")).item
    other = SAMPLE_ARCHIVE if elsewhere else archive
    second = client.create_item(other, Upload(picture, external_id=f"second-{elsewhere}")).item
    digest = image_digest(picture.data)
    client.delete_item(first)
    assert len(blobs_of(service, digest)) == 2
    assert client.item_image(second)
    client.delete_item(second)
    assert blobs_of(service, digest) == []


def test_a_deleted_item_comes_back_only_if_told_so(client: Client, archive: str) -> None:
    upload = Upload(png(208), external_id="a_deleted_item_comes")
    name = client.create_item(archive, upload).item
    client.delete_item(name)
    with pytest.raises(ItemDeletedError) as caught:
        client.create_item(archive, upload)
    assert caught.value.metadata["item"] == name
    restored = client.create_item(archive, Upload(png(208), external_id="a_deleted_item_comes", restore_deleted=True))
    assert (restored.item, restored.state) == (name, UploadState.CREATED)
    assert client.search(archive, name).results[0].item == name
    assert client.create_item(archive, upload).state is UploadState.UNCHANGED


def test_a_purge_counts_first_and_deletes_when_forced(client: Client) -> None:
    archive = "purged-by-label"
    store_samples(client, archive)
    doomed = {sample.number for sample in samples() if "covid" in sample.attributes.labels}
    counted = client.purge_items(archive, filter=ItemFilter(labels=("covid",)))
    assert (counted.selected_items, counted.deleted_items) == (len(doomed), 0)
    assert client.get_archive(archive).item_count == SAMPLES
    purged = client.purge_items(archive, filter=ItemFilter(labels=("covid",)), force=True)
    assert (purged.selected_items, purged.deleted_items) == (len(doomed), len(doomed))
    assert client.get_archive(archive).item_count == SAMPLES - len(doomed)
    assert "covid" not in client.archive_stats(archive).fields["labels"]


def test_a_patient_is_purged_completely(client: Client) -> None:
    archive = "purged-by-patient"
    names = store_samples(client, archive)
    patient = Patient("P2", "clinic")
    doomed = {names[sample.number] for sample in samples() if sample.patient == patient}
    assert client.purge_items(archive, patient=patient).selected_items == len(doomed)
    assert client.purge_items(archive, patient=Patient("P2")).selected_items == 0
    assert client.purge_items(archive, patient=patient, force=True).deleted_items == len(doomed)
    assert {item.name for item in client.list_items(archive)} == set(names.values()) - doomed
    assert client.archive_stats(archive).patient_count == PATIENTS - 1 + 4


def test_a_purge_must_ask_for_something(service: LiveService, archive: str) -> None:
    with RawService(service.address) as raw:
        request = pb.PurgeItemsRequest(archive=f"archives/{archive}", force=True)
        error = refusal(raw.archives.PurgeItems, request).domain_error
    assert isinstance(error, InvalidRequestError)
    assert error.field == "filter"


def test_originals_are_kept_as_the_archive_says(service: LiveService, client: Client) -> None:
    for policy, kept in ((OriginalsPolicy.COPY, [png(90).data]), (OriginalsPolicy.REFERENCE, [])):
        client.create_archive("originals", originals=policy)
        client.create_item("originals", Upload(png(90)))
        originals = service.home / "blobs" / "originals"
        files = [path.read_bytes() for path in originals.rglob("*") if path.is_file()]
        assert [data for data in files if data == png(90).data] == kept
        client.delete_archive("originals", force=True)
