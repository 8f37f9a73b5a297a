"""Batch normalization for networks that nobody trained."""

import numpy as np
import torch
from torch import nn

from xmirad.imaging.preprocessing import Preprocessing
from xmirad.models.canonical import generated_image

FIRST_IMAGE = 100
IMAGES = 16


def calibrate_batch_norm(trunk: nn.Module, preprocessing: Preprocessing) -> None:
    """Set the running statistics of a network with random weights from one batch of generated images.

    With the initial statistics, 0 and 1, the activations of a deep random network vanish or explode, and all images
    look the same to it.
    """
    layers = [module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.train()
        layer.momentum = 1.0
    with torch.no_grad():
        trunk(normalized_images(preprocessing, range(FIRST_IMAGE, FIRST_IMAGE + IMAGES)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.eval()
        layer.momentum = momentum


def normalized_images(preprocessing: Preprocessing, numbers: range) -> torch.Tensor:
    """Return generated images as a network's input, `[N, 3, S, S]`."""
    images = (generated_image(number, preprocessing.crop_size) for number in numbers)
    return torch.from_numpy(np.stack([preprocessing.normalize(image) for image in images]))
