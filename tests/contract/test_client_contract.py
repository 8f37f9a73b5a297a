"""The SDK against a service over a real connection: every method, and every way in which a call can fail."""

from datetime import UTC, datetime

import numpy as np
import pytest

from support.calibrations import calibration
from support.fake_archives import DIGEST, EMBEDDING_SIZE, embedding_of
from support.fake_messages import GEOMETRY, PNG
from support.fake_service import FakeService
from support.uploads import picture
from xmirad.api.vocabulary import ItemView, QueryItemExclusion, SearchView
from xmirad.client import Client, Feedback, Upload
from xmirad.client.types import ItemIdentity, PartialIndex
from xmirad.errors import (
    ArchiveAlreadyExistsError,
    ArchiveNotEmptyError,
    ArchiveNotFoundError,
    InvalidRequestError,
    ItemAlreadyExistsError,
    ItemNotFoundError,
    ModelNotFoundError,
)
from xmirad.ids import image_digest
from xmirad.types import (
    ItemAttributes,
    ItemFilter,
    OriginalsPolicy,
    Patient,
    PatientPolicy,
    SamePatient,
    Sex,
    UploadState,
)

PATIENT = Patient("p0", issuer="hospital")
MISSING = "archives/covidx/items/0f8fad5b-d9cb-569f-a165-70867728950e"


def test_the_service_says_what_it_is(client: Client) -> None:
    info = client.server_info()

    assert info.max_message_bytes == 64 << 20
    assert info.max_top_k == 1000
    assert info.media_types[0] == "image/png"
    assert info.transfer_syntaxes == ("1.2.840.10008.1.2.1",)
    assert info.vector_store == "edge"


def test_models_are_found_by_every_name_they_have(client: Client) -> None:
    [listed] = client.list_models()

    assert listed.card == ""
    assert listed.is_default
    assert listed.embedding_size == EMBEDDING_SIZE
    for name in ("fake", DIGEST, listed.name):
        assert client.get_model(name).card == "# Fake"
    with pytest.raises(ModelNotFoundError):
        client.get_model("other")


def test_archives_are_created_listed_counted_and_deleted(client: Client) -> None:
    created = client.create_archive("covidx", model="fake", originals=OriginalsPolicy.REFERENCE)

    assert (created.archive, created.name) == ("covidx", "archives/covidx")
    assert created.model == f"models/{DIGEST}"
    assert created.originals is OriginalsPolicy.REFERENCE
    assert created.create_time == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert client.get_archive("covidx") == created
    with pytest.raises(ArchiveAlreadyExistsError):
        client.create_archive("covidx", model="other")
    client.delete_archive("covidx")
    with pytest.raises(ArchiveNotFoundError) as caught:
        client.get_archive("covidx")
    assert caught.value.metadata["archive"] == "covidx"


def test_all_archives_are_listed_though_they_fill_several_pages(service: FakeService, client: Client) -> None:
    for number in range(7):
        client.create_archive(f"a{number}")

    assert [archive.archive for archive in client.list_archives()] == [f"a{number}" for number in range(7)]
    assert service.switches.calls["ListArchives"] == 4


def test_pages_are_fetched_only_when_they_are_needed(service: FakeService, client: Client, names: list[str]) -> None:
    items = client.list_items("covidx")
    assert "ListItems" not in service.switches.calls

    next(items)

    assert service.switches.calls["ListItems"] == 1


def test_an_archive_with_items_is_deleted_by_force_only(client: Client, names: list[str]) -> None:
    with pytest.raises(ArchiveNotEmptyError):
        client.delete_archive("covidx")
    client.delete_archive("covidx", force=True)

    assert list(client.list_archives()) == []


def test_stats_count_values_by_field(client: Client, names: list[str]) -> None:
    stats = client.archive_stats("covidx")

    assert stats.archive.item_count == 8
    assert stats.patient_count == 8
    assert stats.fields == {"labels": {"a": 4, "b": 4}, "datasets": {"d": 8}}


def test_storing_again_changes_nothing_and_other_labels_update(client: Client, names: list[str]) -> None:
    changed = Upload(picture(0), external_id="x0", attributes=ItemAttributes(labels=("c",)))

    assert client.create_item("covidx", changed).state is UploadState.UPDATED
    receipt = client.create_item("covidx", changed)
    assert receipt.state is UploadState.UNCHANGED
    assert receipt.item == names[0]
    assert receipt.image_digest == image_digest(picture(0).data)
    with pytest.raises(ItemAlreadyExistsError):
        client.create_item("covidx", Upload(picture(1), external_id="x0"))


def test_an_item_is_returned_in_every_view(client: Client, names: list[str]) -> None:
    basic, full, whole = (client.get_item(names[1], view=view) for view in ItemView)

    assert basic.name == full.name == whole.name == names[1]
    assert basic.attributes == ItemAttributes(labels=("b",), dataset="d", sex=Sex.MALE, year=2020)
    assert (basic.geometry, basic.identity, basic.create_time, basic.embedding) == (None, None, None, None)
    assert full.geometry == GEOMETRY
    assert full.identity == ItemIdentity("x1", "", "", "", 0)
    assert full.create_time is not None
    assert full.embedding is None
    assert whole.embedding is not None
    np.testing.assert_array_equal(whole.embedding, embedding_of(picture(1)))


def test_items_are_listed_by_filter(client: Client, names: list[str]) -> None:
    assert [item.name for item in client.list_items("covidx")] == sorted(names)
    listed = client.list_items("covidx", filter=ItemFilter(labels=("a",), excluded_items=(names[0],)))
    assert [item.name for item in listed] == sorted(names[2::2])


def test_many_items_are_fetched_in_the_order_asked_for(service: FakeService, client: Client, names: list[str]) -> None:
    asked = [names[3], MISSING, *names * 200]

    found = client.batch_get_items("covidx", asked)

    assert [item.name for item in found] == [names[3], *names * 200]
    assert service.switches.calls["BatchGetItems"] == 2


def test_an_item_is_deleted(client: Client, names: list[str]) -> None:
    client.delete_item(names[0])

    with pytest.raises(ItemNotFoundError):
        client.get_item(names[0])


def test_items_of_a_patient_are_counted_before_they_are_deleted(client: Client, names: list[str]) -> None:
    counted = client.purge_items("covidx", patient=PATIENT)
    deleted = client.purge_items("covidx", patient=PATIENT, force=True)
    filtered = client.purge_items("covidx", filter=ItemFilter(labels=("b",)), force=True)

    assert (counted.selected_items, counted.deleted_items) == (2, 0)
    assert (deleted.selected_items, deleted.deleted_items) == (2, 2)
    assert (filtered.selected_items, filtered.deleted_items) == (3, 3)
    assert client.get_archive("covidx").item_count == 3


def test_a_purge_of_nothing_in_particular_is_refused(client: Client, names: list[str]) -> None:
    with pytest.raises(InvalidRequestError, match="exactly one"):
        client.purge_items("covidx", force=True)
    with pytest.raises(InvalidRequestError, match="exactly one"):
        client.purge_items("covidx", filter=ItemFilter(), patient=PATIENT, force=True)


def test_the_picture_of_an_item_is_returned(client: Client, names: list[str]) -> None:
    assert client.item_image(names[2]) == PNG + picture(2).data


def test_a_search_by_image_finds_the_image_first(service: FakeService, client: Client, names: list[str]) -> None:
    response = client.search("covidx", picture(3), top_k=3, exact=True)

    assert [result.rank for result in response.results] == [1, 2, 3]
    assert response.results[0].item == names[3]
    assert response.results[0].score == pytest.approx(1.0)
    assert response.results[0].labels == ("b",)
    assert response.results[0].same_patient is None
    assert response.model == f"models/{DIGEST}"
    assert response.query_digest == image_digest(picture(3).data)
    assert (response.searched_items, response.exact) == (8, True)
    assert response.timings.search_ms == 0.25
    assert response.request_id == service.switches.request_ids[-1]


def test_the_same_query_is_asked_by_image_by_item_and_by_vector(client: Client, names: list[str]) -> None:
    responses = [client.search("covidx", source) for source in (picture(3), names[3], embedding_of(picture(3)))]
    oracle = sorted(range(8), key=lambda number: -float(embedding_of(picture(number)) @ embedding_of(picture(3))))

    for response in responses:
        assert [result.item for result in response.results] == [names[number] for number in oracle]


def test_every_option_of_a_search_arrives(client: Client, names: list[str]) -> None:
    excluded = client.search("covidx", names[0], exclude_query_item=True)
    by_content = client.search("covidx", picture(0), exclude_query_item=True)
    filtered = client.search("covidx", names[0], filter=ItemFilter(labels=("b",)), top_k=1000)
    bounded = client.search("covidx", names[0], min_score=0.99, model="fake")
    flagged = client.search("covidx", names[0], patient=PATIENT, patient_policy=PatientPolicy.FLAG)
    others = client.search("covidx", names[0], patient=PATIENT, patient_policy=PatientPolicy.EXCLUDE)

    assert names[0] not in {result.item for result in excluded.results}
    assert excluded.query_item_exclusion is QueryItemExclusion.NAME
    assert by_content.query_item_exclusion is QueryItemExclusion.CONTENT
    assert filtered.query_item_exclusion is QueryItemExclusion.NONE
    assert {result.item for result in filtered.results} == set(names[1::2])
    assert [result.item for result in bounded.results] == [names[0]]
    same = {result.item: result.same_patient for result in flagged.results}
    assert {item for item, answer in same.items() if answer is SamePatient.YES} == set(names[:2])
    assert {result.item for result in others.results} == set(names[2:])


def test_results_come_in_every_view(client: Client, names: list[str]) -> None:
    ranking, basic, full = (client.search("covidx", names[0], view=view) for view in SearchView)

    assert [(r.item, r.rank, r.score) for r in ranking.results] == [(r.item, r.rank, r.score) for r in basic.results]
    assert ranking.results[0].labels == ()
    assert (full.results[0].thumbnail, basic.results[0].thumbnail) == (b"JPEG", b"")
    assert full.results[0].identity == ItemIdentity("x0", "", "", "", 0)


def test_an_image_is_embedded(service: FakeService, client: Client) -> None:
    embedded = client.embed_image(picture(1), model="fake")

    np.testing.assert_array_equal(embedded.embedding, embedding_of(picture(1)))
    assert embedded.model == f"models/{DIGEST}"
    assert embedded.image_digest == image_digest(picture(1).data)
    assert embedded.request_id == service.switches.request_ids[-1]


def test_a_rebuild_says_how_far_it_is(client: Client, names: list[str]) -> None:
    info = client.rebuild_archive("covidx")
    assert (info.rebuilding, info.optimizing) == (PartialIndex(0, len(names)), True)
    assert client.get_archive("covidx").rebuilding is None


def test_a_calibration_is_set_shown_and_taken_away(client: Client, names: list[str]) -> None:
    fitted = calibration()
    assert client.set_evidence_calibration("covidx", fitted).evidence_calibration == fitted
    assert client.get_archive("covidx").evidence_calibration == fitted
    assert client.set_evidence_calibration("covidx", None).evidence_calibration is None


def test_evidence_comes_with_the_answer_it_was_asked_with(client: Client, names: list[str]) -> None:
    assert client.search("covidx", names[0]).evidence is None
    evidence = client.search("covidx", names[0], evidence=True).evidence
    assert evidence is not None
    assert (evidence.counted_items, evidence.calibrated) == (8, False)
    assert sum(each.item_count for each in evidence.labels) == 8


def test_a_search_is_asked_with_feedback(client: Client, names: list[str]) -> None:
    with pytest.raises(ItemNotFoundError):
        client.search("covidx", Feedback(names[0], ("archives/covidx/items/00000000-0000-4000-8000-000000000000",)))
    assert client.search("covidx", Feedback(names[0], (names[1],), (names[2],))).results
