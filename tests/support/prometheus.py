"""Debian's Prometheus as a process, scraping what a test runs."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from support.live_service import free_port
from support.monitoring import RATE_INTERVAL, quick_rules
from support.web import get, wait_for

START_SECONDS = 30.0
RATES_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def query(self, expression: str) -> list[Any]:
        """Return the samples of a query, as Grafana would ask it."""
        expression = expression.replace(RATE_INTERVAL, f"{RATES_SECONDS}s")
        status, text = get(f"{self.url}/api/v1/query?{urlencode({'query': expression})}")
        assert status == 200, f"{expression}: {text}"
        samples: list[Any] = json.loads(text)["data"]["result"]
        return samples

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = json.loads(get(f"{self.url}/api/v1/alerts")[1])["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, int]) -> Iterator[Prometheus]:
    """Yield a Prometheus that scrapes jobs on ports of the loopback interface each second, with quickened rules."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not there: it is in Debian's package prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(quick_rules(folder))],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    port = free_port()
    command = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: get(f"{url}/-/ready")[0] == 200, seconds=START_SECONDS)
            yield Prometheus(url)
        finally:
            process.terminate()
