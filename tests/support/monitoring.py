"""What is shown to Prometheus, and what dashboards and alert rules ask it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, Metric

from support.project import ROOT
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.observability.process_metrics import show_process
from xmirad.queue.collector import QueueCollector
from xmirad.queue.worker_monitoring import show_worker

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
NAME = re.compile(r"\b(?:xmirad|process)_[a-z0-9_]+")
RATE_INTERVAL = "$__rate_interval"


def shown_metrics() -> set[str]:
    """Return the names of all metrics, as they are called on the pages; a histogram by its plain name."""
    families: list[Metric] = list(QueueCollector(None).describe())
    for registry in _registries():
        families += registry.collect()
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def askable_names() -> set[str]:
    """Return the names that a query may use: those of metrics, and the series of histograms."""
    series = {f"{name}_{part}" for name in shown_metrics() for part in ("bucket", "count", "sum")}
    return shown_metrics() | {name for name in series if re.sub("_(bucket|count|sum)$", "", name).endswith("_seconds")}


def dashboards() -> dict[str, Any]:
    """Return the dashboards by file name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))}


def dashboard_queries() -> list[tuple[str, str]]:
    """Return where each query of a dashboard stands, and the query."""
    return [
        (f"{name}: {panel['title']}", target["expr"])
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def alert_rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    document = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def queries() -> list[tuple[str, str]]:
    """Return the queries of dashboards and alerts."""
    return [*dashboard_queries(), *((rule["alert"], rule["expr"]) for rule in alert_rules())]


def quick_rules(folder: Path) -> Path:
    """Write a copy of the alert rules that fire after a second, and return it."""
    text = re.sub(r"(?m)^(\s+for:) \d+[a-z]$", r"\1 1s", (PROMETHEUS / "alerts.yml").read_text("utf-8"))
    copy = folder / "alerts.yml"
    copy.write_text(text, encoding="utf-8")
    return copy


def _registries() -> Iterator[CollectorRegistry]:
    retrieval, every, explainer = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
    RetrievalMetrics(retrieval, methods=())
    show_process(every, process="any", folders={"home": Path()})
    show_worker(explainer)
    yield from (retrieval, every, explainer)
