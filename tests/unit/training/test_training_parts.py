"""Validation figure, learning rate, weight average, masks."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from support.labeled_images import dataset_of
from xmirad.errors import InvalidRequestError
from xmirad.models.building.architectures import RECIPES
from xmirad.models.building.request import BuildRequest
from xmirad.models.building.weights import make_trunk
from xmirad.models.definition import Architecture
from xmirad.training.averaging import WeightAverage
from xmirad.training.masks import Masks
from xmirad.training.network import MetricNetwork
from xmirad.training.optimizer import make_optimizer, set_rate
from xmirad.training.recipe import OptimizerRecipe
from xmirad.training.validation import mean_average_precision


def tiny_network() -> MetricNetwork:
    torch.manual_seed(0)
    return MetricNetwork(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.Linear(4, 2))


def test_the_validation_figure_is_the_mean_over_classes_of_leave_one_out_average_precisions() -> None:
    angles = np.radians([0, 10, 25, 21, 80, 90])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    by_hand = []
    for query in range(6):
        order = sorted((i for i in range(6) if i != query), key=lambda i: -float(embeddings[query] @ embeddings[i]))
        relevant = [labels[i] == labels[query] for i in order]
        found = [sum(relevant[: rank + 1]) / (rank + 1) for rank in range(5) if relevant[rank]]
        by_hand.append(np.mean(found))
    assert by_hand[0] == pytest.approx((1 + 2 / 3) / 2)  # the others stand at 10, 21 (another class) and 25 degrees
    expected = (np.mean(by_hand[:3]) + np.mean(by_hand[3:])) / 2
    assert mean_average_precision(embeddings, labels, patients=np.arange(6)) == pytest.approx(expected)


def test_a_class_of_one_patient_is_refused_instead_of_left_out_of_the_mean() -> None:
    labels, patients = np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2])
    for of_each in (patients, np.array([0, 0, 1, 1])):
        with pytest.raises(InvalidRequestError, match="another patient") as refusal:
            mean_average_precision(np.eye(4, dtype=np.float32), labels, patients=of_each)
        assert refusal.value.field == "validation"


def test_images_of_the_query_s_patient_and_ties_gain_nothing() -> None:
    alike = np.ones((6, 2), dtype=np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    worst = (1 / 4 + 2 / 5) / 2  # the three irrelevant images come first
    assert mean_average_precision(alike, labels, patients=np.arange(6)) == pytest.approx(worst)
    of_two = mean_average_precision(alike, labels, patients=np.array([7, 7, 8, 9, 10, 11]))
    assert of_two == pytest.approx(((1 / 4 + 1 / 4 + worst) / 3 + worst) / 2)


def test_the_learning_rate_rises_linearly_and_falls_along_a_cosine() -> None:
    recipe = OptimizerRecipe(learning_rate=1.0, head_learning_rate=10.0, schedule="cosine", warmup_steps=4)
    optimizer = make_optimizer(recipe, tiny_network(), nn.Module())
    rates = [set_rate(optimizer, recipe, step=step, steps=100) for step in (0, 4, 50, 99)]
    assert rates == pytest.approx([0.2, (1 + math.cos(math.pi * 0.04)) / 2, 0.5, 0.000247], abs=1e-4)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rates[-1], 10 * rates[-1]])


def test_without_weight_decay_the_optimizer_is_plain_adam() -> None:
    assert type(make_optimizer(OptimizerRecipe(), tiny_network(), nn.Module())) is torch.optim.Adam
    decaying = make_optimizer(OptimizerRecipe(weight_decay=0.1), tiny_network(), nn.Module())
    assert type(decaying) is torch.optim.AdamW


def test_a_weight_average_follows_its_formula() -> None:
    network = tiny_network()
    average = WeightAverage(network, 0.9)
    expected = network.head.weight.detach().clone() if network.head else torch.empty(0)
    for step in range(200):
        with torch.no_grad():
            network.head.weight.add_(0.01)  # type: ignore[union-attr]
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.head.weight.detach()  # type: ignore[union-attr]
    assert torch.allclose(average.network.head.weight, expected, atol=1e-5)  # type: ignore[union-attr]


def test_without_a_decay_the_average_is_the_network_itself() -> None:
    network = tiny_network()
    assert WeightAverage(network, None).network is network


def test_a_frozen_epoch_trains_the_head_alone_and_keeps_statistics() -> None:
    network = tiny_network()
    network.prepare_for_epoch(frozen=True, fixed_statistics=False)
    assert {name for name, value in network.named_parameters() if value.requires_grad} == {"head.weight", "head.bias"}
    assert not network.trunk[1].training  # type: ignore[index]
    network.prepare_for_epoch(frozen=False, fixed_statistics=True)
    assert all(value.requires_grad for value in network.parameters())
    assert not network.trunk[1].training  # type: ignore[index]
    network.prepare_for_epoch(frozen=False, fixed_statistics=False)
    assert network.trunk[1].training  # type: ignore[index]


def test_a_mask_blanks_what_is_outside_and_is_scaled_to_the_picture(tmp_path: Path) -> None:
    item = dataset_of([("lungs.png", "a", "")]).items[0]
    half = np.zeros((10, 10), dtype=np.uint8)
    half[:, :5] = 255
    Image.fromarray(half).save(tmp_path / "lungs_xslor.png")
    picture = np.full((20, 40, 3), 7, dtype=np.uint8)
    masked = Masks(tmp_path).blank(item, picture)
    assert (masked[:, :20] == 7).all()
    assert (masked[:, 20:] == 0).all()


def test_an_image_without_a_mask_is_refused_and_so_is_a_missing_folder(tmp_path: Path) -> None:
    item = dataset_of([("lungs.png", "a", "")]).items[0]
    with pytest.raises(InvalidRequestError, match=r"no mask for lungs\.png"):
        Masks(tmp_path).digest(item)
    with pytest.raises(InvalidRequestError, match="not a folder"):
        Masks(tmp_path / "missing")


def test_a_mask_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    item = dataset_of([("lungs.png", "a", "")]).items[0]
    Image.fromarray(np.ones((4, 4), dtype=np.uint8)).save(tmp_path / "lungs_mask.png")
    with pytest.raises(InvalidRequestError, match=r"lungs_mask\.png shows nothing"):
        Masks(tmp_path).blank(item, np.zeros((4, 4, 3), dtype=np.uint8))


def test_an_image_is_never_its_own_mask(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 255).save(tmp_path / "lungs.png")
    item = dataset_of([(str(tmp_path / "lungs.png"), "a", "")]).items[0]
    with pytest.raises(InvalidRequestError, match="no mask"):
        Masks(tmp_path).digest(item)


def test_calibration_leaves_the_momenta_that_training_needs() -> None:
    recipe = RECIPES[Architecture.RESNET18]
    trunk = make_trunk(BuildRequest(model="resnet18", random_weights=True), recipe)
    momenta = {layer.momentum for layer in trunk.modules() if isinstance(layer, nn.BatchNorm2d)}
    assert momenta == {0.1}
