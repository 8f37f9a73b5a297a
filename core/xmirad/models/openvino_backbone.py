"""The network on the CPU, through OpenVINO. The only module that imports it.

At import OpenVINO starts an analytics client that looks hosts up and keeps an id in the home folder. Its package is
declared absent before the first import, which OpenVINO takes as consent not given.
"""

import importlib
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from xmirad.errors import ModelCorruptError
from xmirad.models.backbone import BackboneOutput
from xmirad.types import Float32Array

REQUESTS_PER_STREAM = 2


def openvino() -> Any:  # noqa: ANN401 - OpenVINO carries no types
    """Return the OpenVINO package, imported without its analytics client."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return importlib.import_module("openvino")


class OpenVINOBackbone:
    """A graph compiled for one image at a time, on as many streams as threads.

    Every calling thread has inference requests of its own; OpenVINO deals them out to the streams in order of arrival,
    so a single query waits for at most a few images of a batch. The bits do not depend on batch, stream or thread.
    """

    def __init__(self, graph: Path, *, input_size: int, threads: int) -> None:
        """Compile the graph.

        Args:
            graph: The `.xml` file, its `.bin` beside it.
            input_size: Width and height of the input in pixels.
            threads: Number of images that run at the same time, each on one thread.

        Raises:
            ModelCorruptError: If the graph cannot be compiled.
        """
        core = openvino().Core()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # some CPUs would choose bf16
            "ENABLE_CPU_PINNING": False,  # pinned, two processes of one thread share one core
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
        }
        try:
            model = core.read_model(graph)
            model.reshape([1, 3, input_size, input_size])
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ModelCorruptError("the model's graph cannot be compiled") from error
        self._outputs = [self._compiled.output(name) for name in ("activations", "pooled")]
        self._requests_here = threading.local()
        self._request_count = REQUESTS_PER_STREAM * threads

    def property(self, name: str) -> object:
        """Return a property of the compiled graph, such as `ENABLE_CPU_PINNING`."""
        value: object = self._compiled.get_property(name)
        return value

    def forward(self, normalized: Float32Array) -> BackboneOutput:
        """Run the network for each image, several at the same time.

        Args:
            normalized: Normalized images, `[N, 3, S, S]`.
        """
        count = len(normalized)
        activations, pooled = (np.empty((count, *output.shape[1:]), np.float32) for output in self._outputs)
        requests = self._requests()

        def collect(index: int) -> None:
            request = requests[index % len(requests)]
            request.wait()
            activations[index] = request.get_tensor(self._outputs[0]).data[0]
            pooled[index] = request.get_tensor(self._outputs[1]).data[0]

        for index, image in enumerate(normalized):
            if index >= len(requests):
                collect(index - len(requests))
            request = requests[index % len(requests)]
            request.get_input_tensor().data[0] = image
            request.start_async()
        for index in range(max(0, count - len(requests)), count):
            collect(index)
        return BackboneOutput(activations=activations, pooled=pooled)

    def _requests(self) -> list[Any]:
        requests: list[Any] | None = getattr(self._requests_here, "requests", None)
        if requests is None:
            requests = [self._compiled.create_infer_request() for _ in range(self._request_count)]
            self._requests_here.requests = requests
        return requests
