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
from xmirad.types import Float32Array

REQUESTS_PER_STREAM = 2
ACTIVATIONS = "activations"
POOLED = "pooled"


def openvino() -> Any:  # noqa: ANN401 - OpenVINO carries no types
    """Return the OpenVINO package, imported without its analytics client."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return importlib.import_module("openvino")


class OpenVINOBackbone:
    """A graph compiled for one image at a time: on as many streams as threads, and on one stream with all threads.

    An image that comes while no other is under way takes the latter: a reader who waits for one embedding gets the
    whole machine. All others share the streams, which together are faster: every calling thread has inference requests
    of its own, and OpenVINO deals them out to the streams in order of arrival. The bits do not depend on batch, stream
    or thread.
    """

    def __init__(self, graph: Path, *, input_size: int, threads: int) -> None:
        """Compile the graph twice, or once for one thread.

        Args:
            graph: The `.xml` file, its `.bin` beside it.
            input_size: Width and height of the input in pixels.
            threads: Number of images that run at the same time, each on one thread.

        Raises:
            ModelCorruptError: If the graph cannot be compiled.
        """
        core = openvino().Core()
        try:
            model = core.read_model(graph)
            model.reshape([1, 3, input_size, input_size])
            self._streams = _Compiled(core, model, streams=threads, threads=threads)
            self._whole = self._streams if threads == 1 else _Compiled(core, model, streams=1, threads=threads)
        except RuntimeError as error:
            raise ModelCorruptError("the model's graph cannot be compiled") from error
        self._counting = threading.Lock()
        self._under_way = 0

    def property(self, name: str) -> object:
        """Return a property of the graph on all streams, such as `ENABLE_CPU_PINNING`."""
        value: object = self._streams.graph.get_property(name)
        return value

    def activations(self, normalized: Float32Array) -> Float32Array:
        """Return the output of the last convolution; see `Backbone.activations`."""
        return self._run(normalized, ACTIVATIONS)

    def pooled(self, normalized: Float32Array) -> Float32Array:
        """Return the pooled features; see `Backbone.pooled`."""
        return self._run(normalized, POOLED)

    def _run(self, normalized: Float32Array, output: str) -> Float32Array:
        with self._counting:
            is_alone = self._under_way == 0 and len(normalized) == 1
            self._under_way += len(normalized)
        try:
            return (self._whole if is_alone else self._streams).run(normalized, output)
        finally:
            with self._counting:
                self._under_way -= len(normalized)


class _Compiled:
    """A graph compiled for one image at a time."""

    def __init__(self, core: Any, model: Any, *, streams: int, threads: int) -> None:  # noqa: ANN401
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # some CPUs would choose bf16
            "ENABLE_CPU_PINNING": False,  # pinned, two processes of one thread share one core
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
        }
        self.graph = core.compile_model(model, "CPU", settings)
        self._request_count = REQUESTS_PER_STREAM * streams
        self._here = threading.local()

    def run(self, normalized: Float32Array, output: str) -> Float32Array:
        """Return an output for each image, as many at the same time as there are requests."""
        count, requests = len(normalized), self._requests()
        collected = np.empty((count, *self.graph.output(output).shape[1:]), np.float32)

        def collect(index: int) -> None:
            request = requests[index % len(requests)]
            request.wait()
            collected[index] = request.get_tensor(output).data[0]

        for index, image in enumerate(normalized):
            if index >= len(requests):
                collect(index - len(requests))
            request = requests[index % len(requests)]
            request.get_input_tensor().data[0] = image
            request.start_async()
        for index in range(max(0, count - len(requests)), count):
            collect(index)
        return collected

    def _requests(self) -> list[Any]:
        requests: list[Any] | None = getattr(self._here, "requests", None)
        if requests is None:
            requests = [self.graph.create_infer_request() for _ in range(self._request_count)]
            self._here.requests = requests
        return requests
