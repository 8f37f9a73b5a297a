"""What a plan counts with: every formula by hand on numbers that are easy to follow."""

import math

import numpy as np
import pytest

from xmirad.errors import InvalidRequestError
from xmirad.explanations.chunk_format import pack
from xmirad.explanations.entries import OcclusionEntry
from xmirad.planning import costs
from xmirad.planning.growth import Growth, Quantity, cost, effective, growth, measured, steps
from xmirad.planning.plan import make_plan
from xmirad.planning.request import GIB, ImageFormat, PlanRequest
from xmirad.saliency.codec import Codec, encode
from xmirad.types import EdgeIndex


def test_a_cost_grows_by_steps_of_a_fixed_part_and_one_for_each_component() -> None:
    assert Growth(fixed=100, each=3, component=0.5, cells=3).at(10, 4) == 100 + 10 * (3 + 0.5 * 4)


def test_only_a_graph_makes_searches_grow_with_the_root() -> None:
    assert steps(Quantity.SEARCH_MS, EdgeIndex.HNSW, 1024) == 32
    assert steps(Quantity.BUILD_SECONDS, EdgeIndex.HNSW, 1024) == 32_768
    assert steps(Quantity.SEARCH_MS, EdgeIndex.INT8, 1024) == 1024
    assert steps(Quantity.DISK_BYTES, EdgeIndex.HNSW, 1024) == 1024


def test_archives_below_ten_megabytes_are_planned_as_flat() -> None:
    assert effective(Quantity.SEARCH_MS, EdgeIndex.INT8, 1_999, 1280) is EdgeIndex.FLAT
    assert effective(Quantity.SEARCH_MS, EdgeIndex.INT8, 2_000, 1280) is EdgeIndex.INT8
    assert effective(Quantity.BUILD_SECONDS, EdgeIndex.HNSW, 2_000, 1280) is EdgeIndex.HNSW
    assert effective(Quantity.SEARCH_MS, EdgeIndex.HNSW, 2_000, 1280) is EdgeIndex.FLAT
    for quantity in Quantity:
        assert cost(quantity, EdgeIndex.INT8, 1_000, 1280) == cost(quantity, EdgeIndex.FLAT, 1_000, 1280)


@pytest.mark.parametrize("index", EdgeIndex)
@pytest.mark.parametrize("quantity", Quantity)
def test_no_cost_shrinks_when_the_archive_grows(index: EdgeIndex, quantity: Quantity) -> None:
    found = growth(quantity, index)
    assert min(found.fixed, found.each, found.component) >= 0
    assert cost(quantity, index, 2_000_000, 1280) >= cost(quantity, index, 1_000_000, 1280) > 0


def test_a_cost_stops_growing_at_its_limit() -> None:
    assert Growth(fixed=0, each=3, component=0, cells=3, most=50).at(10, 4) == 30
    assert Growth(fixed=0, each=3, component=0, cells=3, most=50).at(100, 4) == 50


@pytest.mark.parametrize("size", [256, 1280])
def test_a_million_embeddings_take_themselves_and_at_most_as_much_again_on_disk(size: int) -> None:
    flat, int8 = (
        costs.store_disk_bytes(request(index=index, embedding_size=size)) for index in (EdgeIndex.FLAT, EdgeIndex.INT8)
    )
    assert 1_000_000 * size * 4 <= flat <= 2 * 1_000_000 * size * 4
    assert int8 >= flat


@pytest.mark.parametrize("codec", Codec)
def test_a_cache_entry_takes_what_the_cache_writes(codec: Codec) -> None:
    entry = OcclusionEntry(
        site="local",
        image="0" * 64,
        model="0" * 64,
        preprocessing="0" * 64,
        size=224,
        window=56,
        stride=28,
        codec=codec,
    )
    masked = np.eye(entry.lattice.windows, 96, dtype=np.float32) + np.float32(0.01)
    written = pack(entry, "whole", encode(masked, masked[0], codec))
    assert costs.cache_entry_bytes(request(embedding_size=96, window=56, stride=28, codec=codec)) == len(written)


def test_the_cache_of_the_default_lattice_takes_three_megabytes() -> None:
    assert costs.cache_entry_bytes(request()) == 44 + 2401 * (4 + 1280)


def test_a_cold_map_takes_a_forward_pass_for_every_window() -> None:
    assert costs.cold_map_seconds(request(forward_ms=10.0)) == pytest.approx(2401 * 0.010)


def test_originals_that_are_referred_to_take_nothing() -> None:
    kept, referred = make_plan(request(original_bytes=8e6)), make_plan(request())
    assert kept.disk_bytes["originals"] == 1_000_000 * 8e6
    assert referred.disk_bytes["originals"] == 0
    assert "originals are referred to, not kept" in referred.notes


def test_an_original_costs_time_only_where_it_is_kept() -> None:
    kept, referred = (costs.storing_ms(request(original_bytes=size)) for size in (18e6, 0))
    assert kept - referred == pytest.approx(18 * measured()["images"]["original_ms_per_megabyte"])
    assert kept > referred


@pytest.mark.parametrize("image_format", ImageFormat)
def test_a_call_costs_more_than_the_stages_of_its_work(image_format: ImageFormat) -> None:
    asked = request(image_format=image_format)
    kind = measured()["images"]["kinds"][image_format.value]
    storing = kind["decode_ms"] + kind["embed_ms"] + kind["write_ms"]
    assert costs.storing_ms(asked) == pytest.approx(storing + measured()["calls"]["storing_ms"][image_format.value])
    plan = make_plan(asked)
    assert plan.search_ms == pytest.approx(kind["decode_ms"] + kind["embed_ms"] + plan.store_ms + plan.call_ms)
    assert plan.call_ms >= measured()["calls"]["search_ms"] > 0


def test_explainers_follow_from_cold_maps_in_the_busiest_hour() -> None:
    plan = make_plan(request(explanations_per_day=1_000, forward_ms=6.0, warm_share=0.5, utilization=0.5, peak=4.0))
    assert plan.explainers == math.ceil(1_000 * 0.5 * 2401 * 0.006 * 4 / 86_400 / 0.5)


def test_images_a_day_become_cores_and_hours() -> None:
    asked = request(images_per_day=8_640, utilization=1.0)
    plan = make_plan(asked)
    assert plan.indexing_cores == pytest.approx(costs.storing_ms(asked) / 1_000 / 10)
    assert plan.index_hours_per_day == pytest.approx(24 * plan.indexing_cores)


def test_nodes_are_enough_for_memory_disk_and_cores_each() -> None:
    plan = make_plan(
        request(node_memory_bytes=2 * GIB, node_disk_bytes=100 * GIB, node_cores=1, searches_per_second=50)
    )
    for resource in ("memory", "disk", "cores"):
        assert sum(driver.nodes for driver in plan.drivers if driver.resource == resource) <= plan.nodes
    assert any("Qdrant server" in note for note in plan.notes)


def test_a_plan_says_where_it_goes_beyond_what_was_measured() -> None:
    def is_extrapolated(**changes: object) -> bool:
        return any("extrapolated" in note for note in make_plan(request(**changes)).notes)

    for index in EdgeIndex:
        for size, items in measured()["largest_items"][index.value].items():
            assert not is_extrapolated(index=index, images=items, embedding_size=int(size))
        assert is_extrapolated(index=index, images=10**9, embedding_size=256)
        assert is_extrapolated(index=index, images=1_000, embedding_size=2_048)
    largest = measured()["largest_items"]["flat"]
    assert is_extrapolated(images=largest["1280"] + 1, embedding_size=1280)


@pytest.mark.parametrize("index", EdgeIndex)
def test_a_plan_says_from_how_many_archives_its_searches_are_told(index: EdgeIndex) -> None:
    cells = growth(Quantity.SEARCH_MS, index).cells
    assert f"{index}: search times are fitted to {cells} measured archives" in make_plan(request(index=index)).notes


def test_every_copy_of_the_store_has_a_node_of_its_own() -> None:
    assert make_plan(request(images=1_000, replicas=3)).nodes == 3


def test_drivers_are_ranked_by_the_share_of_a_node_they_take() -> None:
    plan = make_plan(request(original_bytes=8e6, explanations_per_day=100, images_per_day=100))
    shares = [driver.nodes for driver in plan.drivers]
    assert shares == sorted(shares, reverse=True)
    assert plan.drivers[0].name == "originals"
    assert {driver.resource for driver in plan.drivers} == {"memory", "disk", "cores"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("images", 0),
        ("images", 10**400),
        ("warm_share", 1.5),
        ("utilization", 0.0),
        ("forward_ms", -1.0),
        ("node_cores", 0),
        ("searches_per_second", math.inf),
        ("explanations_per_day", math.nan),
        ("node_disk_bytes", 1e-300),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InvalidRequestError, match=field) as caught:
        request(**{field: value})
    assert caught.value.field == field


def test_the_largest_numbers_that_are_accepted_make_a_plan() -> None:
    most = {field: 10**15 for field in ("images", "embedding_size", "replicas")} | {
        field: 1e15
        for field in ("forward_ms", "original_bytes", "images_per_day", "searches_per_second", "explanations_per_day")
    }
    assert make_plan(request(**most, utilization=0.01, node_cores=1, node_memory_bytes=GIB, node_disk_bytes=GIB)).nodes


def test_costlier_images_cost_more_to_store() -> None:
    jpeg, dicom = (costs.storing_ms(request(image_format=one)) for one in (ImageFormat.JPEG, ImageFormat.DICOM))
    assert dicom > jpeg


def request(**changes: object) -> PlanRequest:
    return PlanRequest(**({"images": 1_000_000} | changes))  # type: ignore[arg-type] # the test's own names
