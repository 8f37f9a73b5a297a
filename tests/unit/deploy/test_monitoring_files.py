"""Dashboards and alert rules ask for what is shown, and Prometheus accepts its files."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.monitoring import (
    DASHBOARDS,
    NAME,
    PROMETHEUS,
    alert_rules,
    askable_names,
    dashboards,
    queries,
    quick_rules,
    shown_metrics,
)

NO_PROMTOOL = "promtool is not there: it is in Debian's package prometheus"
UNWATCHED = {"process_max_fds", "process_open_fds", "process_start_time_seconds", "process_virtual_memory_bytes"}


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        pytest.skip(NO_PROMTOOL)
    return path


@pytest.mark.parametrize(("place", "query"), queries())
def test_a_query_asks_for_metrics_that_are_shown(place: str, query: str) -> None:
    names = set(NAME.findall(query))
    assert names - askable_names() == set(), place
    assert names or "up{" in query


def test_every_metric_of_ours_is_watched_by_a_dashboard_or_an_alert() -> None:
    text = " ".join(query for _, query in queries())
    unwatched = {name for name in shown_metrics() if name not in text}
    assert unwatched <= UNWATCHED | {"process_cpu_seconds_total"}


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "remedy"}


@pytest.mark.parametrize(("name", "dashboard"), dashboards().items())
def test_panels_have_titles_and_places_of_their_own(name: str, dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert dashboard["uid"] == f"xmirad-{name.removesuffix('.json')}"
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"prometheus"}


def test_grafana_is_told_where_dashboards_and_prometheus_are() -> None:
    provisioning = DASHBOARDS.parent / "provisioning"
    assert "uid: prometheus" in (provisioning / "datasources" / "prometheus.yml").read_text("utf-8")
    assert "type: file" in (provisioning / "dashboards" / "xmirad.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "file"), [("rules", "alerts.yml"), ("config", "prometheus.yml")], ids=["rules", "config"]
)
def test_prometheus_accepts_its_files(promtool: str, command: str, file: str) -> None:
    done = subprocess.run([promtool, "check", command, PROMETHEUS / file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_not_before(promtool: str) -> None:
    file = Path(__file__).with_name("alerts.test.yml")
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = file.read_text("utf-8")
    assert [rule["alert"] for rule in alert_rules() if f'alertname="{rule["alert"]}"' not in tested] == []


def test_the_quick_copy_of_the_rules_waits_for_nothing(tmp_path: Path) -> None:
    text = quick_rules(tmp_path).read_text("utf-8")
    assert "for: 1m" not in text
    assert text.count("for: 1s") == sum("for" in rule for rule in alert_rules())
