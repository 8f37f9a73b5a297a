"""What a plan counts with: every formula by hand on numbers that are easy to follow."""

import math

import numpy as np
import pytest

from xmirad.errors import InvalidRequestError
from xmirad.explanations.chunk_format import pack
from xmirad.explanations.entries import OcclusionEntry
from xmirad.planning import costs
from xmirad.planning.growth import Growth, Quantity, cost, effective, growth, steps
from xmirad.planning.plan import make_plan
from xmirad.planning.request import GIB, ImageFormat, PlanRequest
from xmirad.saliency.codec import Codec, encode
from xmirad.types import EdgeIndex


def test_a_cost_grows_by_steps_of_a_fixed_part_and_one_for_each_component() -> None:
    assert Growth(fixed=100, each=3, component=0.5).at(10, 4) == 100 + 10 * (3 + 0.5 * 4)


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


@pytest.mark.parametrize("codec", Codec)
def test_a_cache_entry_takes_what_the_cache_writes(codec: Codec) -> None:
    entry = OcclusionEntry(
        image="0" * 64, model="0" * 64, preprocessing="0" * 64, size=224, window=56, stride=28, codec=codec
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
    assert any("extrapolated" in note for note in make_plan(request(images=10**9)).notes)
    assert not any("extrapolated" in note for note in make_plan(request(images=5_000)).notes)


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
    [("images", 0), ("warm_share", 1.5), ("utilization", 0.0), ("forward_ms", -1.0), ("node_cores", 0)],
)
def test_a_number_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InvalidRequestError, match=field) as caught:
        request(**{field: value})
    assert caught.value.field == field


def test_costlier_images_cost_more_to_store() -> None:
    jpeg, dicom = (costs.storing_ms(request(image_format=one)) for one in (ImageFormat.JPEG, ImageFormat.DICOM))
    assert dicom > jpeg


def request(**changes: object) -> PlanRequest:
    return PlanRequest(**({"images": 1_000_000} | changes))  # type: ignore[arg-type] # the test's own names
