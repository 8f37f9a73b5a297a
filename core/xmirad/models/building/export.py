"""From torch to the graph that the CPU runs, and how well the two agree."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from xmirad.imaging.preprocessing import Preprocessing
from xmirad.models.artifact import GRAPH
from xmirad.models.building.architectures import PooledNetwork
from xmirad.models.building.calibration import normalized_images
from xmirad.models.embedder import LinearHead, project, unit_rows
from xmirad.models.openvino_backbone import OpenVINOBackbone, openvino
from xmirad.types import Float32Array

PARITY_IMAGES = range(4)


def export_graph(trunk: nn.Module, folder: Path, input_size: int) -> None:
    """Write `graph.xml` and `graph.bin`, in fp32, with outputs named `activations` and `pooled`."""
    runtime = openvino()
    example = torch.zeros(1, 3, input_size, input_size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=FutureWarning)  # OpenVINO's own tracing
        model = runtime.convert_model(PooledNetwork(trunk), example_input=example, input=list(example.shape))
    for output, name in zip(model.outputs, ("activations", "pooled"), strict=True):
        output.get_tensor().set_names({name})
    model.inputs[0].get_tensor().set_names({"normalized"})
    runtime.save_model(model, folder / GRAPH, compress_to_fp16=False)


def measure_parity(
    trunk: nn.Module, folder: Path, preprocessing: Preprocessing, head: LinearHead | None
) -> tuple[Float32Array, float]:
    """Compare the exported graph with torch on generated images.

    Returns:
        The graph's embeddings, `[4, D]`, and the largest difference of a component.
    """
    inputs = normalized_images(preprocessing, PARITY_IMAGES)
    with torch.inference_mode():
        pooled = PooledNetwork(trunk)(inputs)[1].numpy()
    backbone = OpenVINOBackbone(folder / GRAPH, input_size=preprocessing.crop_size, threads=1)
    exported = unit_rows(project(backbone.pooled(inputs.numpy()), head))
    return exported, float(np.abs(exported - unit_rows(project(pooled, head))).max())
