"""Archives over the wire: creating, listing, counting, deleting."""

import os
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from support.live_service import LiveService, live_service
from support.models import LITE0, lite0_artifact, random_artifact
from support.pictures import png
from support.raw_service import RawService, refusal
from support.sample_items import SAMPLES, samples, store_samples
from support.web import wait_for
from xmirad.api.v1 import archive_service_pb2 as pb
from xmirad.client.client import Client
from xmirad.client.types import Upload, UploadOutcome
from xmirad.errors import (
    ArchiveAlreadyExistsError,
    ArchiveNotEmptyError,
    ArchiveNotFoundError,
    InvalidRequestError,
    ModelNotFoundError,
)
from xmirad.ids import image_digest
from xmirad.types import OriginalsPolicy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("archives") / "home") as live:
        live.start().close()
        yield live


@pytest.fixture
def client(service: LiveService) -> Iterator[Client]:
    with Client(service.address) as connected:
        yield connected


@pytest.fixture
def raw(service: LiveService) -> Iterator[RawService]:
    with RawService(service.address) as opened:
        yield opened


def test_creating_an_archive_again_returns_the_one_that_is_there(client: Client) -> None:
    first = client.create_archive("twice", originals=OriginalsPolicy.REFERENCE)
    again = client.create_archive("twice", model=LITE0, originals=OriginalsPolicy.REFERENCE)
    assert again == first == client.get_archive("twice")
    assert first.model == f"models/{lite0_artifact().digest}"
    assert first.item_count == 0


def test_an_archive_of_other_settings_is_not_replaced(client: Client) -> None:
    other = random_artifact("resnet18")
    created = client.create_archive("settled")
    for settings in ({"model": other.name}, {"originals": OriginalsPolicy.REFERENCE}):
        with pytest.raises(ArchiveAlreadyExistsError) as caught:
            client.create_archive("settled", **settings)
        assert caught.value.metadata["archive"] == "settled"
    assert client.get_archive("settled") == created


def test_archives_of_several_models_live_side_by_side(client: Client) -> None:
    small = random_artifact("resnet18", head_size=32)
    client.create_archive("small", model=small.digest[:12])
    client.create_archive("usual")
    for archive, size in (("small", 32), ("usual", 1280)):
        item = client.create_item(archive, Upload(png(1))).item
        model = client.get_archive(archive).model
        assert client.embed_image(png(1), model=model).embedding.shape == (size,)
        assert client.search(archive, png(1)).results[0].item == item


def test_an_archive_needs_a_model_that_is_installed(client: Client) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        client.create_archive("modelless", model="no-such-model")
    assert caught.value.field == "model"
    with pytest.raises(ArchiveNotFoundError):
        client.get_archive("modelless")


@pytest.mark.parametrize("name", ["", "Upper", "under_score", "-dash", "a" * 64, "dot.dot", "a/b", "ä", ".."])
def test_malformed_archive_ids_are_refused(raw: RawService, name: str) -> None:
    created = refusal(raw.archives.CreateArchive, pb.CreateArchiveRequest(archive_id=name))
    assert isinstance(created.error, InvalidRequestError)
    assert created.domain_error.field == "archive_id"
    got = refusal(raw.archives.GetArchive, pb.GetArchiveRequest(name=f"archives/{name}"))
    assert isinstance(got.error, InvalidRequestError)
    assert got.domain_error.field == "name"


def test_archives_are_listed_page_by_page_in_order(client: Client, raw: RawService) -> None:
    wanted = [f"page-{number}" for number in range(3)]
    for archive in reversed(wanted):
        client.create_archive(archive)
    names: list[str] = []
    token = ""
    while True:
        page = raw.archives.ListArchives(pb.ListArchivesRequest(page_size=2, page_token=token))
        assert len(page.archives) <= 2
        names += [archive.name for archive in page.archives]
        token = page.next_page_token
        if not token:
            break
    assert names == sorted(names)
    assert [name for name in names if "page-" in name] == [f"archives/{archive}" for archive in wanted]
    assert names == [archive.name for archive in client.list_archives()]


@pytest.mark.parametrize("size", [-1, 1001])
def test_page_sizes_have_limits(client: Client, raw: RawService, size: int) -> None:
    client.create_archive("paged")
    archives = refusal(raw.archives.ListArchives, pb.ListArchivesRequest(page_size=size)).domain_error
    items = refusal(raw.archives.ListItems, pb.ListItemsRequest(archive="archives/paged", page_size=size)).domain_error
    for error in (archives, items):
        assert isinstance(error, InvalidRequestError)
        assert (error.field, error.metadata["maximum"]) == ("page_size", "1000")


def test_stats_count_every_value(client: Client) -> None:
    store_samples(client, "counted")
    stats = client.archive_stats("counted")
    attributes = [sample.attributes for sample in samples()]
    assert stats.archive.item_count == SAMPLES
    patients = {sample.patient for sample in samples() if sample.patient}
    assert stats.patient_count == len(patients) + sum(sample.patient is None for sample in samples())
    assert stats.fields["labels"] == Counter(label for each in attributes for label in each.labels)
    assert stats.fields["body_parts"] == Counter(each.body_part for each in attributes if each.body_part)
    assert stats.fields["years"] == Counter(str(each.year) for each in attributes if each.year)
    counts = list(stats.fields["labels"].values())
    assert counts == sorted(counts, reverse=True)


def test_an_archive_that_holds_items_is_deleted_by_force_only(service: LiveService, client: Client) -> None:
    names = store_samples(client, "doomed")
    with pytest.raises(ArchiveNotEmptyError) as caught:
        client.delete_archive("doomed")
    assert (caught.value.field, caught.value.metadata["items"]) == ("force", str(SAMPLES))
    assert client.get_archive("doomed").item_count == SAMPLES
    client.delete_archive("doomed", force=True)
    for call in (client.get_archive, client.archive_stats, client.delete_archive):
        with pytest.raises(ArchiveNotFoundError):
            call("doomed")
    for read in (client.get_item, client.delete_item, client.item_image):
        with pytest.raises(ArchiveNotFoundError):
            read(names[0])
    assert "archives/doomed" not in {archive.name for archive in client.list_archives()}
    left = [name for _, folders, files in os.walk(service.home) for name in (*folders, *files)]
    assert not [name for name in left if "doomed" in name]


def test_a_deleted_archive_can_be_made_again_and_forgets_its_tombstones(client: Client) -> None:
    client.create_archive("phoenix")
    item = client.create_item("phoenix", Upload(png(1), external_id="x")).item
    client.delete_item(item)
    client.delete_archive("phoenix")
    client.create_archive("phoenix", model=random_artifact("resnet18").name)
    assert client.create_item("phoenix", Upload(png(1), external_id="x")).item == item
    assert client.search("phoenix", item).results[0].item == item


def test_an_empty_archive_is_deleted_without_force(client: Client) -> None:
    client.create_archive("hollow")
    client.delete_archive("hollow")
    with pytest.raises(ArchiveNotFoundError):
        client.get_archive("hollow")


def test_an_archive_that_is_deleted_while_it_is_filled_leaves_nothing_behind(
    service: LiveService, client: Client
) -> None:
    client.create_archive("filling")
    pictures = [png(10_000 + number) for number in range(60)]
    outcomes: list[UploadOutcome] = []
    begun = threading.Event()

    def fill() -> None:
        uploads = (Upload(picture, correlation_id=str(at), external_id=str(at)) for at, picture in enumerate(pictures))
        with Client(service.address) as own:
            for outcome in own.upload("filling", uploads):
                outcomes.append(outcome)
                if len(outcomes) == 5:
                    begun.set()

    filling = threading.Thread(target=fill)
    filling.start()
    assert begun.wait(10.0)
    client.delete_archive("filling", force=True)
    filling.join()
    errors = [outcome.error for outcome in outcomes if outcome.error]
    assert errors
    assert {type(error) for error in errors} == {ArchiveNotFoundError}
    digests = {image_digest(picture.data) for picture in pictures}
    blobs = service.home / "blobs"
    # What only its items used is purged behind the answer.
    wait_for(lambda: not [path for path in blobs.rglob("*") if digests & set(path.parts)], seconds=10)
    assert client.create_archive("filling").item_count == 0
