"""The whole system is watched: pages, dashboards, alerts, traces and logs of live processes."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from support.live_stack import LiveStack, live_stack
from support.monitoring import NAME, dashboard_queries, queries, shown_metrics
from support.pictures import png
from support.prometheus import Prometheus, prometheus
from support.sample_items import store_samples
from support.trace_collector import Span, TraceCollector, trace_collector
from support.web import get, wait_for
from xmirad.client import OcclusionMethod
from xmirad.errors import ItemNotFoundError
from xmirad.types import ExplanationState

pytestmark = pytest.mark.slow
ARCHIVE = "samples"
QUICK = OcclusionMethod(window=56, stride=28)
CHUNKS = 5
NAMES = ("clinic", "sample-")
"""The issuer of the patients' ids, and what the files would be called."""
SETTLE_SECONDS = 30.0


@pytest.fixture(scope="module")
def collector() -> Iterator[TraceCollector]:
    with trace_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, collector: TraceCollector) -> Iterator[LiveStack]:
    home = tmp_path_factory.mktemp("watched") / "home"
    environment = {"XMIRAD_TRACING__ENDPOINT": collector.endpoint, "XMIRAD_LOGGING__FORMAT": "json"}
    with live_stack(home, **environment) as stack:
        yield stack


@pytest.fixture(scope="module")
def items(stack: LiveStack) -> list[str]:
    return list(store_samples(stack.client, ARCHIVE).values())


@pytest.fixture(scope="module")
def explained(stack: LiveStack, items: list[str]) -> str:
    """Search, fail once, and have something explained; return the name of the explanation."""
    stack.client.search(ARCHIVE, png(1), top_k=3)
    with pytest.raises(ItemNotFoundError):
        stack.client.get_item(f"archives/{ARCHIVE}/items/00000000-0000-4000-8000-000000000000")
    made = stack.client.create_explanation(items[1], items[0], method=QUICK)
    _wait_until_explained(stack, made.name)
    again = stack.client.create_explanation(items[2], items[0], method=QUICK)  # from the cache
    assert again.state is ExplanationState.SUCCEEDED
    return made.name


@pytest.fixture(scope="module")
def watching(stack: LiveStack, explained: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    ports = {"retrieval": stack.retrieval_port, "explainer": stack.explainer_port}
    with prometheus(tmp_path_factory.mktemp("prometheus"), ports) as watching:
        yield watching


def _wait_until_explained(stack: LiveStack, name: str) -> None:
    wait_for(lambda: stack.client.explanation(name).state is ExplanationState.SUCCEEDED, seconds=SETTLE_SECONDS)


def test_the_pages_show_every_metric_that_is_documented(stack: LiveStack, explained: str) -> None:
    pages = [get(f"http://127.0.0.1:{port}/metrics") for port in (stack.retrieval_port, stack.explainer_port)]
    assert [status for status, _ in pages] == [200, 200]
    shown = set(NAME.findall("".join(text for _, text in pages)))
    assert shown_metrics() - shown == set()
    [done] = re.findall(r'xmirad_tasks_finished_total\{outcome="done",task="fill"\} (\S+)', pages[0][1])
    assert float(done) >= CHUNKS
    assert "xmirad_worker_processes 2.0" in pages[1][1]


def test_the_page_of_a_busy_service_comes_in_less_than_20_ms(stack: LiveStack, explained: str) -> None:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        get(f"http://127.0.0.1:{stack.retrieval_port}/metrics")
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.02


def test_one_trace_goes_from_the_call_through_the_queue_into_the_worker(
    stack: LiveStack, collector: TraceCollector, explained: str
) -> None:
    wanted = {
        ("xmirad-retrieval", "request"),
        ("xmirad-retrieval", "publish"),
        ("xmirad-explainer", "fill"),
        ("xmirad-explainer", "score"),
    }
    wait_for(lambda: any(wanted <= spans for spans in collector.traces().values()), seconds=SETTLE_SECONDS)
    trace = next(trace for trace, spans in collector.traces().items() if wanted <= spans)

    def of(name: str) -> list[Span]:
        return [span for span in list(collector.spans) if (span.trace, span.name) == (trace, name)]

    wait_for(lambda: len(of("fill")) == CHUNKS, seconds=SETTLE_SECONDS)
    methods = [span.attributes["xmirad.method"] for span in of("request")]
    assert methods == ["xmirad.v1.ExplanationService/CreateExplanation"]


def test_a_search_is_one_trace_of_decoding_embedding_and_searching(collector: TraceCollector, explained: str) -> None:
    wanted = {("xmirad-retrieval", name) for name in ("request", "decode", "embed", "search")}
    wait_for(lambda: wanted in collector.traces().values(), seconds=SETTLE_SECONDS)


def test_log_lines_of_the_worker_name_request_and_trace_of_the_call(
    stack: LiveStack, collector: TraceCollector, explained: str
) -> None:
    lines = [json.loads(line) for line in stack.worker_log.read_text().splitlines() if line.startswith("{")]
    line = next(line for line in lines if line["event"] == "explanation.succeeded")
    assert len(line["request_id"]) == 32
    wait_for(lambda: line["trace_id"] in collector.traces(), seconds=SETTLE_SECONDS)
    assert ("xmirad-retrieval", "request") in collector.traces()[line["trace_id"]]


@pytest.mark.parametrize(("place", "query"), queries())
def test_prometheus_understands_the_queries_of_dashboards_and_alerts(
    watching: Prometheus, place: str, query: str
) -> None:
    watching.query(query)


def test_every_panel_has_data_after_some_work(stack: LiveStack, watching: Prometheus, items: list[str]) -> None:
    def empty() -> list[str]:
        return [place for place, query in dashboard_queries() if not watching.query(query)]

    def work() -> bool:
        """Do a little more of everything, so that there is something to take rates of."""
        stack.client.search(ARCHIVE, png(1), top_k=3)
        with pytest.raises(ItemNotFoundError):
            stack.client.get_item(f"archives/{ARCHIVE}/items/00000000-0000-4000-8000-000000000000")
        made = stack.client.create_explanation(items[0], items[remaining.pop()], method=QUICK)
        _wait_until_explained(stack, made.name)
        return not empty()

    remaining = list(range(1, len(items)))
    wait_for(work, seconds=SETTLE_SECONDS, pause=2.0)


def test_an_alert_fires_when_the_last_worker_dies_and_clears_when_one_is_back(
    stack: LiveStack, watching: Prometheus
) -> None:
    wait_for(lambda: watching.query('xmirad_workers_up{kind="explainer"} == 1') != [], seconds=SETTLE_SECONDS)
    wait_for(lambda: not {"NoWorkerUp", "QueueDown"} & watching.firing(), seconds=SETTLE_SECONDS)
    stack.kill_explainer()
    wait_for(lambda: "NoWorkerUp" in watching.firing(), seconds=SETTLE_SECONDS)
    assert "QueueDown" not in watching.firing()
    stack.start_explainer()
    wait_for(lambda: "NoWorkerUp" not in watching.firing(), seconds=SETTLE_SECONDS)


def test_an_alert_fires_while_the_queue_is_gone_and_the_page_still_answers(
    stack: LiveStack, watching: Prometheus
) -> None:
    stack.valkey.kill()
    wait_for(lambda: "QueueDown" in watching.firing(), seconds=SETTLE_SECONDS)
    status, text = get(f"http://127.0.0.1:{stack.retrieval_port}/metrics")
    assert status == 200
    assert "xmirad_queue_up 0.0" in text
    stack.valkey.start()
    wait_for(lambda: "QueueDown" not in watching.firing(), seconds=SETTLE_SECONDS)


def test_nothing_that_was_said_on_the_way_names_a_patient(
    stack: LiveStack, collector: TraceCollector, explained: str
) -> None:
    said = [stack.worker_log.read_text(), stack.retrieval.log.read_text(), repr(collector.spans)]
    said += [get(f"http://127.0.0.1:{port}/metrics")[1] for port in (stack.retrieval_port, stack.explainer_port)]
    assert not [text for text in said if any(name in text for name in NAMES)]
