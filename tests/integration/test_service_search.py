"""Searches over the wire against a slow search over the vectors that `EmbedImage` returns."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from support.dicom_files import dicom_file
from support.models import random_artifact
from support.pictures import png
from support.sample_filters import FILTERS
from support.sample_items import COPY_OF, SAMPLES, samples
from support.sample_world import ARCHIVE, World, sample_world
from xmirad.api.vocabulary import QueryItemExclusion, SearchView
from xmirad.client import Upload
from xmirad.client.search_types import SearchResponse, SearchSource, StreamedSearch
from xmirad.errors import (
    ArchiveEmptyError,
    InvalidImageError,
    InvalidRequestError,
    ItemNotFoundError,
    ModelMismatchError,
)
from xmirad.types import EncodedImage, Float32Array, ItemFilter, Patient, PatientPolicy, SamePatient

OUTSIDE = 1000
"""A picture that is in no archive."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with sample_world(tmp_path_factory.mktemp("search")) as made:
        yield made


def rows(response: SearchResponse) -> list[tuple[str, float]]:
    assert [result.rank for result in response.results] == list(range(1, len(response.results) + 1))
    return [(result.item, result.score) for result in response.results]


def assert_same(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [name for name, _ in found] == [name for name, _ in expected]
    np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-5)


def test_a_search_by_image_ranks_like_the_slow_search(world: World) -> None:
    query = world.client.embed_image(png(OUTSIDE)).embedding
    response = world.client.search(ARCHIVE, png(OUTSIDE), top_k=SAMPLES)
    assert_same(rows(response), world.slow.ranking(query))
    assert response.query_digest == hashlib.sha256(png(OUTSIDE).data).hexdigest()
    assert response.searched_items == SAMPLES
    assert response.exact


@pytest.mark.parametrize(
    ("kind", "media_type"), [("WEBP", "image/webp"), ("HEIF", "image/heic"), ("AVIF", "image/avif")]
)
def test_a_telephones_picture_finds_its_item_and_is_stored(world: World, kind: str, media_type: str) -> None:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png(5).data)) as picture:
        picture.convert("RGB").save(buffer, kind, quality=95)
    image = EncodedImage(buffer.getvalue())
    [(name, score)] = rows(world.client.search(ARCHIVE, image, top_k=1))
    assert name == world.names[5]
    assert score > 0.9

    archive = kind.lower()
    world.client.create_archive(archive)
    item = world.client.create_item(archive, Upload(EncodedImage(image.data, media_type))).item
    assert_same(rows(world.client.search(archive, image, top_k=1)), [(item, 1.0)])


def test_a_search_by_item_ranks_like_the_slow_search(world: World) -> None:
    response = world.client.search(ARCHIVE, world.names[5], top_k=7)
    assert_same(rows(response), world.slow.ranking(world.slow.embeddings[5])[:7])
    assert response.query_digest == hashlib.sha256(png(5).data).hexdigest()
    assert (response.timings.decode_ms, response.timings.embed_ms) == (0.0, 0.0)


def test_a_search_by_vector_ranks_like_the_slow_search_whatever_its_length(world: World) -> None:
    vector = np.random.default_rng(3).normal(size=1280).astype(np.float32)
    for scale in (1e-3, 1.0, 1e3):
        response = world.client.search(ARCHIVE, np.asarray(vector * scale, np.float32), top_k=SAMPLES, exact=True)
        assert_same(rows(response), world.slow.ranking(vector))


def test_embeddings_have_length_one_and_do_not_depend_on_the_call(world: World) -> None:
    first, second = world.client.embed_image(png(1)), world.client.embed_image(png(1))
    assert np.linalg.norm(first.embedding) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(first.embedding, second.embedding)
    assert first.image_digest == hashlib.sha256(png(1).data).hexdigest()
    assert first.model == world.client.get_archive(ARCHIVE).model


def test_streamed_searches_agree_with_single_ones(world: World) -> None:
    sources: dict[str, SearchSource] = {
        "image": png(OUTSIDE),
        "item": world.names[2],
        "vector": world.slow.embeddings[9],
        "unknown": world.names[0][:-1] + ("0" if world.names[0][-1] != "0" else "1"),
    }
    searches = [StreamedSearch(name, source, top_k=5) for name, source in sources.items()]
    outcomes = {outcome.correlation_id: outcome for outcome in world.client.stream_search(ARCHIVE, searches)}
    assert set(outcomes) == set(sources)
    assert isinstance(outcomes.pop("unknown").error, ItemNotFoundError)
    for name, outcome in outcomes.items():
        assert outcome.response is not None
        assert rows(outcome.response) == rows(world.client.search(ARCHIVE, sources[name], top_k=5))


def test_equal_scores_are_ordered_by_name_even_where_top_k_cuts_through_them(world: World) -> None:
    copies = sorted(world.names[number] for number in (3, *COPY_OF))
    for top_k in (1, 2, 3):
        response = world.client.search(ARCHIVE, world.names[3], top_k=top_k)
        assert [name for name, _ in rows(response)] == copies[:top_k]


def test_the_ranking_view_has_the_same_ranking_and_nothing_else(world: World) -> None:
    basic = world.client.search(ARCHIVE, world.names[4], top_k=SAMPLES)
    ranking = world.client.search(ARCHIVE, world.names[4], top_k=SAMPLES, view=SearchView.RANKING)
    assert rows(ranking) == rows(basic)
    assert all((result.labels, result.identity, result.thumbnail) == ((), None, b"") for result in ranking.results)
    assert ranking.searched_items == basic.searched_items


def test_the_basic_view_has_labels_but_no_identity(world: World) -> None:
    by_name = {world.names[sample.number]: sample for sample in samples()}
    for result in world.client.search(ARCHIVE, world.names[4], top_k=SAMPLES).results:
        assert result.labels == by_name[result.item].attributes.labels
        assert (result.identity, result.thumbnail, result.same_patient) == (None, b"", None)


def test_the_full_view_has_identity_and_a_small_jpeg_of_what_the_model_saw(world: World) -> None:
    by_name = {world.names[sample.number]: sample for sample in samples()}
    response = world.client.search(ARCHIVE, world.names[4], top_k=6, view=SearchView.FULL)
    for result in response.results:
        assert result.identity is not None
        assert result.identity.external_id == by_name[result.item].external_id
        thumbnail = Image.open(io.BytesIO(result.thumbnail))
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (112, 112))
        seen = Image.open(io.BytesIO(world.client.item_image(result.item))).resize((112, 112), Image.Resampling.BOX)
        difference = np.asarray(thumbnail.convert("L"), float) - np.asarray(seen.convert("L"), float)
        assert np.abs(difference).mean() < 4.0


def test_min_score_cuts_the_ranking_off(world: World) -> None:
    everything = world.slow.ranking(world.slow.embeddings[4])
    bound = (everything[6][1] + everything[7][1]) / 2
    response = world.client.search(ARCHIVE, world.names[4], top_k=SAMPLES, min_score=bound)
    assert_same(rows(response), everything[:7])


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_decides_which_items_take_part(world: World, name: str) -> None:
    item_filter, keep = FILTERS[name]
    query = world.slow.embeddings[0]
    expected = world.slow.ranking(query, keep=keep)
    response = world.client.search(ARCHIVE, query, top_k=SAMPLES, filter=item_filter)
    assert 0 < len(expected) < SAMPLES
    assert_same(rows(response), expected)
    assert response.searched_items == len(expected)


def test_excluded_items_take_no_part(world: World) -> None:
    excluded = tuple(world.names[number] for number in (0, 1, 2))
    query = world.slow.embeddings[0]
    response = world.client.search(ARCHIVE, query, top_k=SAMPLES, filter=ItemFilter(excluded_items=excluded))
    assert_same(rows(response), world.slow.ranking(query, keep=lambda sample: sample.number not in {0, 1, 2}))


@pytest.mark.parametrize(
    "field", ["labels", "modalities", "body_parts", "view_positions", "splits", "datasets", "sources"]
)
def test_an_unknown_filter_value_is_named_with_the_known_ones(world: World, field: str) -> None:
    wanted = replace(ItemFilter(), **{field: ("misspelled",)})  # type: ignore[arg-type]  # only fields of words
    with pytest.raises(InvalidRequestError) as caught:
        world.client.search(ARCHIVE, world.names[0], filter=wanted)
    assert caught.value.field == f"filter.{field}"
    assert caught.value.metadata["value"] == "misspelled"
    stats = world.client.archive_stats(ARCHIVE)
    assert set(caught.value.metadata["known_values"].split(", ")) == set(stats.fields[field])


def test_excluding_the_query_item_by_name_leaves_its_copies(world: World) -> None:
    response = world.client.search(ARCHIVE, world.names[3], top_k=SAMPLES, exclude_query_item=True)
    assert response.query_item_exclusion is QueryItemExclusion.NAME
    assert_same(rows(response), world.slow.ranking(world.slow.embeddings[3], keep=lambda sample: sample.number != 3))
    assert response.searched_items == SAMPLES - 1


def test_excluding_the_query_image_by_content_leaves_out_every_copy(world: World) -> None:
    response = world.client.search(ARCHIVE, png(3), top_k=SAMPLES, exclude_query_item=True)
    assert response.query_item_exclusion is QueryItemExclusion.CONTENT
    kept = world.slow.ranking(world.slow.embeddings[3], keep=lambda sample: sample.number not in {3, *COPY_OF})
    assert_same(rows(response), kept)
    assert response.searched_items == SAMPLES - 3


def test_nothing_is_excluded_unasked(world: World) -> None:
    assert world.client.search(ARCHIVE, png(3)).query_item_exclusion is QueryItemExclusion.NONE


def test_include_ranks_items_of_the_same_patient_without_a_word(world: World) -> None:
    response = world.client.search(ARCHIVE, world.names[6], top_k=SAMPLES)
    assert {result.same_patient for result in response.results} == {None}


def test_flag_tells_which_items_show_the_same_patient(world: World) -> None:
    response = world.client.search(ARCHIVE, world.names[6], top_k=SAMPLES, patient_policy=PatientPolicy.FLAG)
    found = {result.item: result.same_patient for result in response.results}
    patient = Patient("P1", "clinic")
    for sample in samples():
        unknown = SamePatient.UNKNOWN if sample.patient is None else SamePatient.NO
        assert found[world.names[sample.number]] is (SamePatient.YES if sample.patient == patient else unknown)


@pytest.mark.parametrize("source", ["item", "image"])
def test_exclude_leaves_items_of_the_same_patient_out(world: World, source: str) -> None:
    query: SearchSource = world.names[6] if source == "item" else png(6)
    stated = None if source == "item" else Patient("P1", "clinic")
    response = world.client.search(ARCHIVE, query, top_k=SAMPLES, patient=stated, patient_policy=PatientPolicy.EXCLUDE)
    kept = world.slow.ranking(world.slow.embeddings[6], keep=lambda sample: sample.patient != Patient("P1", "clinic"))
    assert_same(rows(response), kept)
    assert SamePatient.YES not in {result.same_patient for result in response.results}


def test_a_patient_of_another_issuer_is_another_patient(world: World) -> None:
    response = world.client.search(
        ARCHIVE, png(6), top_k=SAMPLES, patient=Patient("P1", "elsewhere"), patient_policy=PatientPolicy.EXCLUDE
    )
    assert len(response.results) == SAMPLES


def test_group_returns_the_best_item_of_every_patient(world: World) -> None:
    response = world.client.search(ARCHIVE, world.names[6], top_k=SAMPLES, patient_policy=PatientPolicy.GROUP)
    number_of = {name: number for number, name in world.names.items()}
    patient_of = {sample.number: sample.patient or sample.number for sample in samples()}
    best: dict[object, tuple[str, float]] = {}
    for name, score in world.slow.ranking(world.slow.embeddings[6]):
        best.setdefault(patient_of[number_of[name]], (name, score))
    assert_same(rows(response), list(best.values()))


@pytest.mark.parametrize("policy", [PatientPolicy.EXCLUDE, PatientPolicy.FLAG])
@pytest.mark.parametrize("source", [png(6), np.ones(1280, np.float32)], ids=["image", "vector"])
def test_policies_that_compare_patients_need_the_query_patient(
    world: World, policy: PatientPolicy, source: EncodedImage | Float32Array
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        world.client.search(ARCHIVE, source, patient_policy=policy)
    assert caught.value.field == "patient"


def test_the_patient_of_a_dicom_query_is_taken_from_its_header(world: World) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (64, 64), dtype=np.uint16)
    query = EncodedImage(dicom_file(pixels, PatientID="P2", IssuerOfPatientID="clinic"), "application/dicom")
    response = world.client.search(ARCHIVE, query, top_k=SAMPLES, patient_policy=PatientPolicy.EXCLUDE)
    expected = {world.names[sample.number] for sample in samples() if sample.patient != Patient("P2", "clinic")}
    assert {result.item for result in response.results} == expected
    stated = world.client.search(
        ARCHIVE, query, top_k=SAMPLES, patient=Patient("P3", "clinic"), patient_policy=PatientPolicy.EXCLUDE
    )
    expected = {world.names[sample.number] for sample in samples() if sample.patient != Patient("P3", "clinic")}
    assert {result.item for result in stated.results} == expected


@pytest.mark.parametrize("declared", ["", "application/dicom"])
def test_a_query_needs_neither_uids_nor_a_part_10_header_but_an_upload_needs_uids(world: World, declared: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = dicom_file(pixels, PatientID="", SeriesInstanceUID="", StudyInstanceUID="not a UID")
    meta_length = int.from_bytes(whole[140:144], "little") + 12
    query = EncodedImage(whole[132 + meta_length :], declared)
    png_file = io.BytesIO()
    Image.fromarray(pixels).save(png_file, "PNG")
    as_png = world.client.embed_image(EncodedImage(png_file.getvalue(), "image/png")).embedding
    np.testing.assert_array_equal(world.client.embed_image(query).embedding, as_png)
    response = world.client.search(ARCHIVE, query, top_k=3)
    assert_same(rows(response), world.slow.ranking(as_png)[:3])
    assert "no usable window: full range of 8 bits" in response.decoding_notes
    assert world.client.search(ARCHIVE, EncodedImage(png_file.getvalue()), top_k=3).decoding_notes == ()
    with pytest.raises(InvalidRequestError) as asked:
        world.client.search(ARCHIVE, query, patient_policy=PatientPolicy.EXCLUDE)
    assert asked.value.field == "patient"
    with pytest.raises(InvalidImageError, match="StudyInstanceUID") as caught:
        world.client.create_item(ARCHIVE, Upload(query))
    assert caught.value.metadata["attribute"] == "StudyInstanceUID"


def test_a_search_for_another_model_is_refused(world: World) -> None:
    other = random_artifact("resnet18")
    for name in (other.name, f"models/{other.digest}"):
        with pytest.raises(ModelMismatchError) as caught:
            world.client.search(ARCHIVE, png(0), model=name)
        assert caught.value.field == "model"
        assert caught.value.metadata["requested_model"] == other.digest
    own = world.client.get_archive(ARCHIVE).model
    assert world.client.search(ARCHIVE, png(0), model=own).model == own


def test_an_empty_archive_says_so(world: World) -> None:
    world.client.create_archive("empty")
    with pytest.raises(ArchiveEmptyError):
        world.client.search("empty", png(0))


def test_every_answer_says_where_the_time_went_and_under_which_request_id(world: World) -> None:
    first, second = world.client.search(ARCHIVE, png(0)), world.client.search(ARCHIVE, png(0))
    assert min(first.timings.decode_ms, first.timings.embed_ms, first.timings.search_ms) > 0.0
    assert first.request_id
    assert first.request_id != second.request_id


def test_a_search_stores_nothing(world: World) -> None:
    def stored() -> list[Path]:
        return sorted(path for folder in ("blobs", "store") for path in (world.home / folder).rglob("*"))

    before = stored()
    world.client.search(ARCHIVE, png(OUTSIDE + 1))
    world.client.embed_image(png(OUTSIDE + 2))
    assert stored() == before
