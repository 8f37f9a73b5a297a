"""The network on the CPU, through OpenVINO. The only module that imports it.

At import OpenVINO starts an analytics client that looks hosts up and keeps an id in the home folder. Its package is
declared absent before the first import, which OpenVINO takes as consent not given.
"""

import importlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from xmirad.errors import ModelCorruptError
from xmirad.models.tuning import Tuning, usual
from xmirad.types import Float32Array

REQUESTS_PER_STREAM = 2
ACTIVATIONS = "activations"
POOLED = "pooled"


def openvino() -> Any:  # noqa: ANN401 - OpenVINO carries no types
    """Return the OpenVINO package, imported without its analytics client."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return importlib.import_module("openvino")


def machine_kind() -> dict[str, str]:
    """Return what the speed of a network depends on, for this process: processor, cores and OpenVINO's version."""
    package = openvino()
    core = package.Core()
    return {
        "processor": str(core.get_property("CPU", "FULL_DEVICE_NAME")),
        "capabilities": " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        "cores": str(len(os.sched_getaffinity(0))),
        "openvino": str(package.__version__),
    }


class OpenVINOBackbone:
    """A graph compiled for one image at a time: on as many streams as threads, and on one stream with all threads.

    An image that a reader waits for takes the latter if no other is under way: it is there sooner, at more processor
    time. All others share the streams, which together are faster: every calling thread has inference requests of its
    own, and OpenVINO deals them out to the streams in order of arrival. The bits do not depend on stream or
    thread, nor on the batch of a tuning that `tuner.tune` has made.
    """

    def __init__(self, graph: Path, *, input_size: int, threads: int, tuning: Tuning | None = None) -> None:
        """Compile the graph twice, or once for one thread; once more for batches if the tuning has them.

        Args:
            graph: The `.xml` file, its `.bin` beside it.
            input_size: Width and height of the input in pixels.
            threads: Number of threads.
            tuning: How many images run, by default single ones, each on one thread.

        Raises:
            ModelCorruptError: If the graph cannot be compiled.
        """
        self._tuning = tuning or usual(threads)
        streams = self._tuning.streams
        core = openvino().Core()
        try:
            model = core.read_model(graph)
            model.reshape([1, 3, input_size, input_size])
            self._streams = _Compiled(core, model, streams=streams, threads=threads)
            self._whole = self._streams if streams == 1 else _Compiled(core, model, streams=1, threads=threads)
            self._batches = self._streams
            if self._tuning.batch > 1:
                model.reshape([self._tuning.batch, 3, input_size, input_size])
                self._batches = _Compiled(core, model, streams=streams, threads=threads)
        except RuntimeError as error:
            raise ModelCorruptError("the model's graph cannot be compiled") from error
        self._under_way: set[object] = set()

    @property
    def at_once(self) -> int:
        """How many images it pays to bring in one call."""
        return self._tuning.at_once

    def property(self, name: str) -> object:
        """Return a property of the graph on all streams, such as `ENABLE_CPU_PINNING`."""
        value: object = self._streams.graph.get_property(name)
        return value

    def activations(self, normalized: Float32Array) -> Float32Array:
        """Return the output of the last convolution; see `Backbone.activations`."""
        return self._run(normalized, ACTIVATIONS)

    def pooled(self, normalized: Float32Array, *, waited_for: bool = False) -> Float32Array:
        """Return the pooled features; see `Backbone.pooled`."""
        return self._run(normalized, POOLED, waited_for=waited_for)

    def _run(self, normalized: Float32Array, output: str, *, waited_for: bool = False) -> Float32Array:
        call = object()
        try:
            self._under_way.add(call)  # before looking, so that of two that come at once at most one is alone
            is_alone = waited_for and len(self._under_way) == 1 and len(normalized) == 1
            if is_alone or self._tuning.batch == 1:
                return (self._whole if is_alone else self._streams).run(normalized, output)
            whole = len(normalized) - len(normalized) % self._tuning.batch
            parts = [self._batches.run(normalized[:whole], output), self._streams.run(normalized[whole:], output)]
            return np.concatenate(parts)
        finally:
            self._under_way.discard(call)


class _Compiled:
    """A graph compiled for batches of one size."""

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
        """Return an output for each image of whole batches, as many batches at the same time as there are requests."""
        requests = self._requests()
        try:
            return self._run(normalized, output, requests)
        except BaseException:  # also a time limit, which can strike anywhere
            del self._here.requests  # some are still at work
            raise

    def _run(self, normalized: Float32Array, output: str, requests: list[Any]) -> Float32Array:
        step, *shape = self.graph.output(output).shape
        count = len(normalized) // step
        collected = np.empty((count, step, *shape), np.float32)

        def collect(index: int) -> None:
            request = requests[index % len(requests)]
            request.wait()
            collected[index] = request.get_tensor(output).data

        for index in range(count):
            if index >= len(requests):
                collect(index - len(requests))
            request = requests[index % len(requests)]
            request.get_input_tensor().data[:] = normalized[index * step : (index + 1) * step]
            request.start_async()
        for index in range(max(0, count - len(requests)), count):
            collect(index)
        return collected.reshape(count * step, *shape)

    def _requests(self) -> list[Any]:
        requests: list[Any] | None = getattr(self._here, "requests", None)
        if requests is None:
            requests = [self.graph.create_infer_request() for _ in range(self._request_count)]
            self._here.requests = requests
        return requests
