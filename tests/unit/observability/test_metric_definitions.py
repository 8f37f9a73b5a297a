import pytest
from prometheus_client import CollectorRegistry, generate_latest

from xmirad.observability.metrics import RetrievalMetrics

SEARCH = "xmirad.v1.RetrievalService/Search"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> RetrievalMetrics:
    return RetrievalMetrics(registry, methods=[SEARCH])


def test_requests_are_counted_by_method_and_code(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    metrics.request_finished(SEARCH, "OK", 0.004)
    metrics.request_finished(SEARCH, "OK", 0.006)
    assert registry.get_sample_value("xmirad_requests_total", {"method": SEARCH, "code": "OK"}) == 2
    assert registry.get_sample_value("xmirad_request_seconds_sum", {"method": SEARCH}) == pytest.approx(0.01)


def test_made_up_methods_share_one_label(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    for number in range(50):
        metrics.request_finished(f"made.up/{number}", "UNIMPLEMENTED", 0.001)
    assert registry.get_sample_value("xmirad_requests_total", {"method": "other", "code": "UNIMPLEMENTED"}) == 50
    assert b"made.up" not in generate_latest(registry)


def test_a_failing_request_is_no_longer_in_flight(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    def in_flight() -> float | None:
        return registry.get_sample_value("xmirad_requests_in_flight", {"method": SEARCH})

    def fail() -> None:
        with metrics.in_flight(SEARCH):
            assert in_flight() == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert in_flight() == 0


def test_archives_beyond_the_limit_are_added_up(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    metrics.set_archive_items({f"a{number:03}": 10 for number in range(103)})
    assert registry.get_sample_value("xmirad_archive_items", {"archive": "a000"}) == 10
    assert registry.get_sample_value("xmirad_archive_items", {"archive": "other"}) == 30
    metrics.set_archive_items({"a001": 7})
    assert registry.get_sample_value("xmirad_archive_items", {"archive": "a001"}) == 7
    assert registry.get_sample_value("xmirad_archive_items", {"archive": "a000"}) is None


def test_imports_are_shown_by_what_waits_and_what_failed(
    metrics: RetrievalMetrics, registry: CollectorRegistry
) -> None:
    metrics.set_imports(waiting=7, failed_images=2, failed=1)
    names = ("xmirad_import_waiting_images", "xmirad_import_failed_images", "xmirad_imports_failed")
    assert [registry.get_sample_value(name) for name in names] == [7, 2, 1]


def test_every_name_begins_with_xmirad(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    metrics.item_indexed("CREATED")
    metrics.model_in_use("lite0", "ab" * 32)
    names = {family.name for family in registry.collect()}
    assert len(names) == 19
    assert all(name.startswith("xmirad_") for name in names)
    assert registry.get_sample_value("xmirad_items_indexed_total", {"outcome": "created"}) == 1


def test_explanations_are_counted_by_state(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    metrics.explanation_created("succeeded")
    assert registry.get_sample_value("xmirad_explanations_created_total", {"state": "succeeded"}) == 1


def test_an_image_that_fails_is_no_longer_being_stored(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    def fail() -> None:
        with metrics.uploading():
            assert registry.get_sample_value("xmirad_uploads_in_flight") == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert registry.get_sample_value("xmirad_uploads_in_flight") == 0
    assert registry.get_sample_value("xmirad_index_seconds_count") == 1


def test_the_cache_is_shown_beside_its_budget(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    metrics.set_cache(150, entries=2, budget=1_000)
    shown = [registry.get_sample_value(f"xmirad_cache_{name}") for name in ("bytes", "entries", "budget_bytes")]
    assert shown == [150, 2, 1_000]


def test_a_service_that_is_not_served_is_shown(metrics: RetrievalMetrics, registry: CollectorRegistry) -> None:
    metrics.set_serving("", is_served=False)
    assert registry.get_sample_value("xmirad_serving", {"service": "all"}) == 0


def test_two_services_of_one_process_do_not_share_numbers() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    RetrievalMetrics(first, methods=[SEARCH]).item_indexed("created")
    RetrievalMetrics(second, methods=[SEARCH])
    assert second.get_sample_value("xmirad_items_indexed_total", {"outcome": "created"}) is None
