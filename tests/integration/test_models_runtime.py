"""A built model in a serving process."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from support.models import lite0_artifact, random_artifact
from xmirad.errors import ModelCorruptError
from xmirad.models.artifact import DOCUMENT, GRAPH, ModelArtifact, read_artifact, write_document
from xmirad.models.canonical import generated_image
from xmirad.models.embedder import load_embedder
from xmirad.models.openvino_backbone import OpenVINOBackbone, machine_kind
from xmirad.models.registry import ModelRegistry
from xmirad.models.tuner import tune
from xmirad.models.tuning import Tuning, read_tuning, usual, write_tuning


@pytest.fixture
def copied_model(tmp_path: Path) -> ModelArtifact:
    artifact = lite0_artifact()
    return read_artifact(Path(shutil.copytree(artifact.path, tmp_path / artifact.digest)))


def test_threads_are_not_pinned_and_precision_is_fp32() -> None:
    threads = min(2, len(os.sched_getaffinity(0)))
    backbone = OpenVINOBackbone(lite0_artifact().path / GRAPH, input_size=224, threads=threads)

    assert backbone.property("ENABLE_CPU_PINNING") is False
    assert str(backbone.property("INFERENCE_PRECISION_HINT")) == "<Type: 'float32'>"
    assert backbone.property("NUM_STREAMS") == threads
    assert backbone.property("INFERENCE_NUM_THREADS") == threads


def test_an_image_alone_gets_all_threads_and_the_same_bits() -> None:
    embedder = load_embedder(lite0_artifact(), threads=2)
    one_thread = load_embedder(lite0_artifact(), threads=1)
    pixels = np.stack([generated_image(number, 224) for number in range(6)])

    together = embedder.embed(pixels)

    alone = np.concatenate([embedder.embed(image[None], waited_for=True) for image in pixels])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(one_thread.embed(pixels), together)


def test_serving_never_imports_torch() -> None:
    program = (
        "import sys, pathlib, numpy\n"
        "from xmirad.models.artifact import read_artifact\n"
        "from xmirad.models.embedder import load_embedder\n"
        "from xmirad.models.registry import ModelRegistry\n"
        "before = 'openvino' in sys.modules\n"
        "artifact = read_artifact(pathlib.Path(sys.argv[1]))\n"
        "load_embedder(artifact, threads=1).embed(numpy.zeros((1, 224, 224, 3), numpy.uint8))\n"
        "print(before, 'openvino' in sys.modules, 'torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", program, str(lite0_artifact().path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)

    assert result.stdout == "False True False\n"


def test_embeddings_have_the_same_bits_on_any_thread_and_in_any_batch() -> None:
    pixels = np.stack([generated_image(number, 224) for number in range(8)])
    embedder = load_embedder(lite0_artifact(), threads=2)
    alone = np.concatenate([load_embedder(lite0_artifact(), threads=1).embed(image[None]) for image in pixels])

    with ThreadPoolExecutor(8) as threads:
        batches = list(threads.map(lambda start: embedder.embed(np.roll(pixels, -start, axis=0)), range(8)))

    for start, batch in enumerate(batches):
        np.testing.assert_array_equal(batch, np.roll(alone, -start, axis=0))


def test_a_head_gives_shorter_embeddings_with_the_same_bits_in_any_batch() -> None:
    artifact = random_artifact("resnet18", head_size=32)
    embedder = load_embedder(artifact, threads=2)
    pixels = np.stack([generated_image(number, 224) for number in range(5)])

    embeddings = embedder.embed(pixels)

    assert embeddings.shape == (5, 32)
    for image, embedding in zip(pixels, embeddings, strict=True):
        np.testing.assert_array_equal(embedder.embed(image[None])[0], embedding)


@pytest.mark.parametrize("name", ["weights.safetensors", "graph.xml", "graph.bin", "MODEL_CARD.md"])
def test_a_tampered_file_is_refused_before_it_is_used(copied_model: ModelArtifact, name: str) -> None:
    path = copied_model.path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(ModelCorruptError, match=name):
        load_embedder(copied_model, threads=1)


def test_a_tampered_document_is_refused(copied_model: ModelArtifact) -> None:
    path = copied_model.path / DOCUMENT
    path.write_text(path.read_text().replace("256", "257", 1))

    with pytest.raises(ModelCorruptError):
        ModelRegistry(copied_model.path.parent).find(copied_model.digest)


def test_a_graph_of_other_weights_is_refused_even_with_matching_checksums(copied_model: ModelArtifact) -> None:
    graph = copied_model.path / "graph.bin"
    values = np.fromfile(graph, dtype=np.float32)
    (values * np.float32(1.01)).tofile(graph)
    document = copied_model.document.model_dump(mode="json", exclude={"files", "checksum"})
    write_document(copied_model.path, document)
    forged = read_artifact(copied_model.path)
    forged.verify_files()

    with pytest.raises(ModelCorruptError, match="canonical embedding differs"):
        ModelRegistry(copied_model.path.parent).verify(forged)


def test_a_sound_model_is_verified(copied_model: ModelArtifact) -> None:
    ModelRegistry(copied_model.path.parent).verify(copied_model)


def test_a_tuned_network_makes_the_bits_of_the_usual_one(copied_model: ModelArtifact) -> None:
    pixels = np.stack([generated_image(number, 224) for number in range(11)])
    expected = load_embedder(copied_model, threads=1).embed(pixels)
    for tuning in (Tuning(batch=2, streams=1), Tuning(batch=4, streams=1)):
        write_tuning(copied_model, machine_kind(), tuning, threads=1, milliseconds={})
        embedder = load_embedder(copied_model, threads=1, tuned=True)
        assert embedder.at_once == tuning.at_once
        np.testing.assert_array_equal(embedder.embed(pixels), expected)


def test_without_time_the_usual_way_is_kept_and_none_is_considered(copied_model: ModelArtifact) -> None:
    tuned = tune(copied_model, threads=1, seconds=0)
    assert (tuned.tuning, tuned.hasty) == (usual(1), (usual(1),))
    assert read_tuning(copied_model, machine_kind(), threads=1) == usual(1)


class DependentOnBatch(OpenVINOBackbone):
    """A network whose last bit depends on how many images there are."""

    def pooled(self, normalized: np.ndarray, *, waited_for: bool = False) -> np.ndarray:
        found = super().pooled(normalized)
        return np.nextafter(found, np.float32(1)) if len(normalized) > 1 else found


def test_a_tuning_that_makes_other_bits_is_refused_at_load_and_said(
    copied_model: ModelArtifact, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_tuning(copied_model, machine_kind(), Tuning(batch=2, streams=1), threads=1, milliseconds={})
    assert load_embedder(copied_model, threads=1, tuned=True).at_once == Tuning(batch=2, streams=1).at_once
    assert not caplog.messages

    monkeypatch.setattr("xmirad.models.embedder.OpenVINOBackbone", DependentOnBatch)
    embedder = load_embedder(copied_model, threads=1, tuned=True)

    assert embedder.at_once == usual(1).at_once
    assert caplog.messages == ["model.tuning_refused"]


class Interrupted:
    """Images of which the third cannot be had: what a time limit that strikes in the middle looks like."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, images: slice) -> np.ndarray:
        if images.start >= 2:
            raise TimeoutError
        return self._images[images]


def test_a_call_that_is_broken_off_leaves_no_request_busy() -> None:
    backbone = OpenVINOBackbone(lite0_artifact().path / GRAPH, input_size=224, threads=1)
    images = np.random.default_rng(0).standard_normal((4, 3, 224, 224), np.float32)
    expected = backbone.pooled(images)

    for _ in range(5):
        with pytest.raises(TimeoutError):
            backbone.pooled(Interrupted(images))  # type: ignore[arg-type]
        np.testing.assert_array_equal(backbone.pooled(images), expected)


def test_a_time_limit_at_any_line_leaves_no_call_under_way() -> None:
    backbone = OpenVINOBackbone(lite0_artifact().path / GRAPH, input_size=224, threads=1)
    image = np.zeros((1, 3, 224, 224), np.float32)
    first = OpenVINOBackbone._run.__code__.co_firstlineno

    for offset in range(1, 6):

        def strike(frame: FrameType, event: str, _: object, line: int = first + offset) -> object:
            if frame.f_code is not OpenVINOBackbone._run.__code__:
                return strike if event == "call" else None
            if event == "line" and frame.f_lineno == line:
                raise TimeoutError
            return strike

        before = sys.gettrace()
        sys.settrace(strike)  # type: ignore[arg-type]
        try:
            with suppress(TimeoutError):
                backbone.pooled(image)
        finally:
            sys.settrace(before)
        assert not backbone._under_way
