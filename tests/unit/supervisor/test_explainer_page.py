from pathlib import Path

import pytest

from xmirad.settings import MetricsSettings, QueueSettings, Settings
from xmirad.supervisor.programs import embedded_system


@pytest.mark.parametrize(("port", "explainer_port"), [(0, "0"), (9464, "9465"), (65_535, "0")])
def test_the_explainer_beside_a_service_has_the_next_port_for_its_metrics(
    tmp_path: Path, port: int, explainer_port: str
) -> None:
    queue = QueueSettings(url="redis://127.0.0.1:1")
    settings = Settings(home=tmp_path, queue=queue, metrics=MetricsSettings(port=port))
    retrieval, explainer = embedded_system(settings, address="127.0.0.1:50051", explains=True)
    assert "XMIRAD_METRICS__PORT" not in retrieval.environment
    assert explainer.environment["XMIRAD_METRICS__PORT"] == explainer_port
