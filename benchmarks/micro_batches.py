"""The network compiled for several images at a time, to see whether gathering requests would pay."""

from typing import Any

import numpy as np

from xmirad.models.artifact import GRAPH, ModelArtifact
from xmirad.models.openvino_backbone import openvino
from xmirad.types import Float32Array


class BatchedGraph:
    """A model's graph for batches of one size, as many at the same time as there are threads."""

    def __init__(self, artifact: ModelArtifact, *, batch: int, threads: int) -> None:
        """Compile the graph with the settings of the service's own backbone."""
        runtime = openvino()
        core = runtime.Core()
        model = core.read_model(artifact.path / GRAPH)
        side = artifact.preprocessing.crop_size
        model.reshape([batch, 3, side, side])
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled: Any = core.compile_model(model, "CPU", settings)
        self._batch = batch
        self._queue: Any = runtime.AsyncInferQueue(compiled, 2 * threads)
        self._images: Float32Array = np.random.default_rng(0).normal(size=(batch, 3, side, side)).astype(np.float32)

    def forward(self, images: int) -> None:
        """Run so many images, a multiple of the batch."""
        for _ in range(images // self._batch):
            self._queue.start_async({0: self._images})
        self._queue.wait_all()
