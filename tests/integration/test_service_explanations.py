"""Explanations over the wire from the real service with real models, without a queue."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from support.live_service import live_service
from support.pictures import png
from support.sample_items import store_samples
from xmirad.api.vocabulary import MapQuality, SearchView
from xmirad.client import ActivationMethod, AttentionMethod, Client, OcclusionMethod, Upload, archive_calls
from xmirad.client.aio import AioClient
from xmirad.client.explanation_types import Method
from xmirad.errors import (
    BackendUnavailableError,
    ExplanationNotFoundError,
    InvalidImageError,
    InvalidRequestError,
    ItemNotFoundError,
)
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.geometry import Point
from xmirad.saliency.method import ExplainedImage
from xmirad.types import EncodedImage, ExplanationState, ItemFilter, OriginalsPolicy

ARCHIVE = "samples"
OUTSIDE = 1000
NOBODY = "00000000-0000-4000-8000-000000000000"
PNG_MARK = b"\x89PNG"


def wide_png(width: int, height: int) -> EncodedImage:
    noise = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return EncodedImage(buffer.getvalue())


@dataclass(frozen=True, slots=True)
class World:
    client: Client
    items: list[str]
    home: Path
    address: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with live_service(tmp_path_factory.mktemp("explain") / "home") as service, service.start() as client:
        names = store_samples(client, ARCHIVE)
        client.create_archive("other")
        yield World(client, list(names.values()), service.home, service.address)


@pytest.mark.parametrize(
    "method",
    [
        AttentionMethod(),
        AttentionMethod(form=AttentionForm.SIAMESE_NEGATIVE),
        ActivationMethod(),
        ActivationMethod(signed=True),
    ],
)
def test_maps_without_windows_come_at_once_for_images_and_items(world: World, method: Method) -> None:
    for source in (png(OUTSIDE), world.items[1]):
        made = world.client.create_explanation(
            source, world.items[0], method=method, explained_image=ExplainedImage.BOTH, include_overlay=True
        )

        assert made.state is ExplanationState.SUCCEEDED, made.error
        assert [each.explained_image for each in made.maps] == [ExplainedImage.QUERY, ExplainedImage.RESULT]
        for each in made.maps:
            assert each.values.shape == (224, 224)
            assert np.isfinite(each.values).all()
            assert each.quality is MapQuality.EXACT
            assert each.overlay_png.startswith(PNG_MARK)
            assert each.meaning
        again = world.client.create_explanation(
            source, world.items[0], method=method, explained_image=ExplainedImage.BOTH
        )
        assert again.name == made.name
        np.testing.assert_array_equal(again.maps[0].values, made.maps[0].values)


def test_maps_are_laid_over_the_whole_original(world: World) -> None:
    wide = wide_png(400, 200)
    made = world.client.create_explanation(
        wide,
        world.items[0],
        method=ActivationMethod(),
        explained_image=ExplainedImage.BOTH,
        include_overlay=True,
    )

    on_query, on_result = (Image.open(io.BytesIO(each.overlay_png)) for each in made.maps)

    assert (on_query.width, on_result.width) == (400, 64)
    assert on_query.height > 200
    never_seen = np.array(on_query)[:200, :100]  # the model sees the middle of it
    np.testing.assert_array_equal(never_seen, np.array(Image.open(io.BytesIO(wide.data)))[:, :100])


def test_without_originals_maps_are_laid_over_what_the_model_saw(world: World) -> None:
    world.client.create_archive("references", originals=OriginalsPolicy.REFERENCE)
    item = world.client.create_item("references", Upload(png(777), external_id="one")).item

    made = world.client.create_explanation(png(OUTSIDE), item, method=ActivationMethod(), include_overlay=True)

    assert Image.open(io.BytesIO(made.maps[0].overlay_png)).width == 224


def test_signed_activation_adds_up_to_the_score(world: World) -> None:
    query = world.client.embed_image(png(OUTSIDE)).embedding
    made = world.client.create_explanation(png(OUTSIDE), world.items[0], method=ActivationMethod(signed=True))
    found = {row.item: row.score for row in world.client.search(ARCHIVE, query, top_k=100).results}

    assert made.maps[0].values.mean() * 49 == pytest.approx(found[world.items[0]], abs=0.02)


def test_a_point_on_the_query_is_explained(world: World) -> None:
    method = ActivationMethod(point=Point(20.0, 20.0))

    made = world.client.create_explanation(png(OUTSIDE), world.items[0], method=method)

    assert made.state is ExplanationState.SUCCEEDED, made.error
    assert made.method == method


def test_the_life_of_an_explanation(world: World) -> None:
    made = world.client.create_explanation(world.items[2], world.items[3], method=AttentionMethod())

    assert world.client.explanation(made.name).state is ExplanationState.SUCCEEDED
    assert made.name in {each.name for each in world.client.explanations(archive=ARCHIVE)}
    assert list(world.client.explanations(archive="other")) == []
    assert [each.explanation.name for each in world.client.watch_explanation(made.name)] == [made.name]
    assert world.client.cancel_explanation(made.name).state is ExplanationState.SUCCEEDED
    world.client.delete_explanation(made.name)
    with pytest.raises(ExplanationNotFoundError):
        world.client.explanation(made.name)
    with pytest.raises(ExplanationNotFoundError):
        next(world.client.watch_explanation(made.name))


def test_deleting_an_item_deletes_its_explanations(world: World) -> None:
    made = world.client.create_explanation(world.items[2], world.items[-1], method=AttentionMethod())

    world.client.delete_item(world.items[-1])

    with pytest.raises(ExplanationNotFoundError):
        world.client.explanation(made.name)
    with pytest.raises(ItemNotFoundError) as caught:
        world.client.create_explanation(world.items[2], world.items[-1], method=AttentionMethod())
    assert caught.value.field == "item"


def bad_requests(world: World) -> list[tuple[dict[str, object], str]]:
    items = world.items
    missing = f"archives/{ARCHIVE}/items/{NOBODY}"
    vector = world.client.embed_image(png(OUTSIDE)).embedding
    return [
        ({"method": OcclusionMethod(window=225)}, "options.occlusion.window"),
        ({"method": OcclusionMethod(window=0)}, "options.occlusion.window"),
        ({"method": OcclusionMethod(stride=0)}, "options.occlusion.stride"),
        ({"method": OcclusionMethod(window=10, stride=11)}, "options.occlusion.stride"),
        ({"method": OcclusionMethod(window=24, stride=1)}, "options.occlusion.stride"),
        ({"method": ActivationMethod(point=Point(1e6, 0.0))}, "options.activation.point"),
        ({"method": ActivationMethod(point=Point(float("nan"), 0.0))}, "options.activation.point"),
        ({"item": "archives/samples"}, "item"),
        ({"source": "archives/other/items/" + NOBODY}, "query.item"),
        ({"contrast_item": items[0]}, "options.contrast_item"),
        ({"contrast_item": "archives/other/items/" + NOBODY}, "options.contrast_item"),
        ({"contrast_item": items[2], "method": AttentionMethod()}, "options.contrast_item"),
        ({"source": vector, "explained_image": ExplainedImage.QUERY}, "options.explained_image"),
        ({"source": vector, "explained_image": ExplainedImage.BOTH}, "options.explained_image"),
        ({"source": vector, "method": AttentionMethod()}, "query"),
        ({"source": vector[:5]}, "query.embedding.values"),
        ({"source": missing}, "ITEM_NOT_FOUND query.item"),
        ({"item": missing}, "ITEM_NOT_FOUND item"),
        ({"contrast_item": missing}, "ITEM_NOT_FOUND options.contrast_item"),
        ({"source": EncodedImage(b"no image", "image/png")}, "IMAGE_UNDECODABLE query.image"),
    ]


def test_every_bad_request_says_which_field_is_at_fault(world: World) -> None:
    for change, field in bad_requests(world):
        request: dict[str, object] = {"source": world.items[1], "item": world.items[0], **change}
        with pytest.raises((InvalidRequestError, ItemNotFoundError, InvalidImageError)) as caught:
            world.client.create_explanation(**request)  # type: ignore[arg-type]  # of each row's own types
        reason, _, path = field.rpartition(" ")
        assert (caught.value.reason, caught.value.field) == (reason or "FIELD_INVALID", path), change


def test_batches_are_bounded_and_all_or_none(world: World) -> None:
    with pytest.raises(InvalidRequestError, match="at least 1"):
        world.client.create_explanations(world.items[0], [])
    with pytest.raises(InvalidRequestError, match="at most 100"):
        world.client.create_explanations(world.items[0], world.items[:1] * 101)
    with pytest.raises(ItemNotFoundError) as caught:
        world.client.create_explanations(
            world.items[0], [world.items[1], f"archives/{ARCHIVE}/items/{NOBODY}"], method=AttentionMethod()
        )
    assert caught.value.field == "items[1]"


def test_without_a_queue_a_cold_map_is_unavailable_and_a_search_is_not(world: World) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        world.client.create_explanation(world.items[1], world.items[0])
    assert caught.value.metadata["backend"] == "queue"

    response = world.client.search(ARCHIVE, world.items[1], top_k=3, explain_top=2)

    assert len(response.results) == 3
    assert {row.explanation for row in response.results} == {""}
    assert isinstance(response.explanation_error, BackendUnavailableError)
    assert response.explanation_error.metadata["backend"] == "queue"


def test_explain_top_is_bounded(world: World) -> None:
    for top, view in ((4, SearchView.BASIC), (1, SearchView.RANKING), (-1, SearchView.BASIC)):
        with pytest.raises(InvalidRequestError) as caught:
            world.client.search(ARCHIVE, world.items[1], top_k=3, explain_top=top, view=view)
        assert caught.value.field == "explain_top"


def test_a_token_of_nobody_is_refused(world: World) -> None:
    made = world.client.create_explanation(world.items[2], world.items[3], method=AttentionMethod())
    with pytest.raises(InvalidRequestError) as caught:
        next(world.client.watch_explanation(made.name, "(0"))
    assert caught.value.field == "resume_token"


def test_warming_says_what_it_takes_without_a_queue(world: World) -> None:
    figures = world.client.warm(ARCHIVE, max_items=2, dry_run=True)

    assert (figures.selected_items, figures.complete_items, figures.queued_tasks) == (2, 0, 0)
    assert figures.missing_windows == 2 * 2401
    assert figures.estimated_bytes > 2 * 2401 * 1280
    with pytest.raises(BackendUnavailableError):
        world.client.warm(ARCHIVE, max_items=2)
    assert world.client.cancel_warming(ARCHIVE).cancelled_images == 0
    both = archive_calls.warm(ARCHIVE, item_filter=ItemFilter(), max_items=0, dry_run=True, cancel=True)
    with pytest.raises(InvalidRequestError) as caught:
        world.client._connection.run(both)
    assert caught.value.field == "cancel"


def test_the_service_says_what_it_can_explain(world: World) -> None:
    info = world.client.server_info()

    assert info.features == ("explanations",)
    assert (info.max_batch_explanations, info.max_occlusion_windows) == (100, 10_000)


async def test_the_asynchronous_client_explains_too(world: World) -> None:
    async with AioClient(world.address) as client:
        seen = [each async for each in client.explain(world.items[0], world.items[1], method=ActivationMethod())]

    assert seen[-1].state is ExplanationState.SUCCEEDED


def test_explanations_are_not_served_while_the_queue_is_away(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/nobody.sock"
    with (
        live_service(tmp_path / "home", XMIRAD_QUEUE__URL=url) as service,
        service.start() as client,
        grpc.insecure_channel(service.address) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert client.server_info().features == ("explanations", "explanation_queue", "imports")
        for state in health.Watch(health_pb2.HealthCheckRequest(service="xmirad.v1.ExplanationService"), timeout=20):
            if state.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                break
        retrieval = health_pb2.HealthCheckRequest(service="xmirad.v1.RetrievalService")
        assert health.Check(retrieval).status == health_pb2.HealthCheckResponse.SERVING
        assert service.stop() == 0
