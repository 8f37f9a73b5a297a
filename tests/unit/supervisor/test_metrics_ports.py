from pathlib import Path

import pytest

from xmirad.settings import MetricsSettings, QueueSettings, Settings
from xmirad.supervisor.programs import embedded_system
from xmirad.types import WorkerKind


@pytest.mark.parametrize(("port", "others"), [(0, ["0", "0"]), (9464, ["9465", "9466"]), (65_534, ["65535", "0"])])
def test_workers_beside_a_service_have_the_next_ports_for_their_metrics(
    tmp_path: Path, port: int, others: list[str]
) -> None:
    queue = QueueSettings(url="redis://127.0.0.1:1")
    settings = Settings(home=tmp_path, queue=queue, metrics=MetricsSettings(port=port))
    retrieval, *workers = embedded_system(settings, address="127.0.0.1:50051", workers=tuple(WorkerKind))
    assert "XMIRAD_METRICS__PORT" not in retrieval.environment
    assert [worker.environment["XMIRAD_METRICS__PORT"] for worker in workers] == others
