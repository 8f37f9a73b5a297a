"""An explainer on torch: the same embeddings on CPU tensors, and no torch unless it is asked for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.live_explainer import SMALL, LiveExplainer, live_explainer
from support.models import lite0_artifact
from xmirad.errors import InvalidRequestError
from xmirad.models.canonical import generated_image
from xmirad.models.embedder import load_embedder
from xmirad.models.torch_embedder import load_torch_embedder
from xmirad.types import ExplanationState

PARITY = 1e-5
ON_TORCH = {
    "XMIRAD_EXPLANATIONS__BACKBONE": "torch",
    "XMIRAD_EXPLANATIONS__PROCESSES": "1",
    # torch on a CPU takes several times as long for a chunk
    "XMIRAD_QUEUE__TASK_SECONDS": "20",
    "XMIRAD_QUEUE__VISIBILITY_SECONDS": "60",
}


@pytest.fixture(scope="module", autouse=True)
def _torch() -> None:
    pytest.importorskip("torch")


def test_torch_makes_the_embeddings_of_the_exported_graph() -> None:
    artifact = lite0_artifact()
    side = artifact.preprocessing.crop_size
    pixels = np.stack([generated_image(seed, side) for seed in range(3)])

    on_torch = load_torch_embedder(artifact, device="cpu").embed(pixels)

    assert np.abs(on_torch - load_embedder(artifact, threads=1).embed(pixels)).max() < PARITY


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="cuda:7") as caught:
        load_torch_embedder(lite0_artifact(), device="cuda:7")
    assert caught.value.field == "explanations.device"


def test_importing_an_explainer_on_openvino_brings_no_torch() -> None:
    program = "import sys, xmirad_explainer.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.slow
def test_an_explainer_on_torch_completes_an_explanation(tmp_path: Path) -> None:
    with live_explainer(tmp_path, lite0_artifact()) as live:
        live.start_worker(**ON_TORCH)
        request = live.request(live.image(1), live.image(2), SMALL)
        snapshot = live.wait(live.create(request), lambda found: found.state.is_terminal, sweep=True)
        assert snapshot.state is ExplanationState.SUCCEEDED
        assert chunks_of(live) > 0


def chunks_of(live: LiveExplainer) -> int:
    return len(list(live.blobs.list("occlusion/")))
