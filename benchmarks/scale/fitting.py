"""The embeddings that the mixture is fitted to: those of a folder of data, else of generated images."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.scale.likeness import Likeness, likeness
from benchmarks.scale.mixture import Mixture, fit_mixture
from xmirad.datasets.dataset import ALL_SPLITS, Layout
from xmirad.datasets.reading import detect_layout, read_dataset
from xmirad.errors import InvalidRequestError
from xmirad.ids import image_digest
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import prepare
from xmirad.models.artifact import ModelArtifact
from xmirad.models.embedder import Embedder, load_embedder
from xmirad.phantoms.drawing import draw_phantom
from xmirad.phantoms.findings import FINDINGS
from xmirad.types import EncodedImage, UInt8Array

PHANTOMS = "generated images (phantoms)"
HELD_OUT = 0.25
FEWEST_OF_A_CLASS = 8
SEED = 17


@dataclass(frozen=True, slots=True)
class Fitted:
    """A mixture, and what it was fitted to.

    Attributes:
        mixture: The mixture.
        source: `generated images (phantoms)`, or the names of the data sets.
        images: How many images it was fitted to.
        likeness: How like the images that were held out its vectors are.
    """

    mixture: Mixture
    source: str
    images: int
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class Labeled:
    """Prepared images `[N, S, S, 3]` and the number of each one's class, `[N]`."""

    source: str
    pixels: UInt8Array
    classes: np.typing.NDArray[np.int64]


def fit(artifact: ModelArtifact, data: Path | None, *, images: int, threads: int) -> Fitted:
    """Fit a mixture to the embeddings of images from a folder, or of phantoms where none is given.

    A quarter of the images is held out and compared with the mixture.

    Args:
        artifact: The model.
        data: Folder of one data set, or of several.
        images: How many images to use at most.
        threads: Threads of the model.

    Raises:
        InvalidRequestError: If the folder holds no images.
    """
    labeled = _phantoms(artifact, images) if data is None else _of_folder(artifact, data, images)
    embedder: Embedder = load_embedder(artifact, threads=threads)
    embeddings = embedder.embed(labeled.pixels)
    held_out = np.random.default_rng(SEED).random(len(embeddings)) < HELD_OUT
    mixture = fit_mixture(embeddings[~held_out], labeled.classes[~held_out])
    like = likeness(mixture, embeddings[~held_out], embeddings[held_out])
    return Fitted(mixture, labeled.source, int((~held_out).sum()), like)


def _phantoms(artifact: ModelArtifact, images: int) -> Labeled:
    from PIL import Image

    each = images // len(FINDINGS)
    drawn = [
        prepare(Image.fromarray(draw_phantom(finding, seed=SEED, number=number)), artifact.preprocessing)[0]
        for finding in FINDINGS
        for number in range(each)
    ]
    return Labeled(PHANTOMS, np.stack(drawn), np.repeat(np.arange(len(FINDINGS)), each))


def _of_folder(artifact: ModelArtifact, data: Path, images: int) -> Labeled:
    files = [(item, folder.name) for folder in _datasets(data) for item in read_dataset(folder, split=ALL_SPLITS).items]
    order = np.random.default_rng(SEED).permutation(len(files))[:images]
    chosen: dict[str, tuple[bytes, str]] = {}
    for item, name in (files[number] for number in order):
        content = item.path.read_bytes()
        chosen[image_digest(content)] = content, f"{name} {','.join(item.attributes.labels)}"
    counts = Counter(label for _, label in chosen.values())
    kept = [(content, label) for content, label in chosen.values() if counts[label] >= FEWEST_OF_A_CLASS]
    if not kept:
        raise InvalidRequestError("the folder of data holds too few images of any class", field="data")
    limits = DecodeLimits()
    pixels = [decode_image(EncodedImage(content), artifact.preprocessing, limits).pixels for content, _ in kept]
    names = sorted({label for _, label in kept})
    source = ", ".join(sorted({label.split(" ")[0] for label in names}))
    return Labeled(source, np.stack(pixels), np.array([names.index(label) for _, label in kept]))


def _datasets(data: Path) -> list[Path]:
    """Return the folder itself, or those below it if they are data sets of a layout that can be told."""
    below = [folder for folder in sorted(data.iterdir()) if folder.is_dir()]
    told = [folder for folder in below if detect_layout(folder) is not Layout.FOLDER]
    return told if told and detect_layout(data) is Layout.FOLDER else [data]
