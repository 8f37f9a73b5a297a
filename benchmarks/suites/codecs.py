"""How far maps are off because masked embeddings are kept in 8 or 16 bits, and what keeping them costs."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.codec_speed import codec_speed
from benchmarks.figures import Figure, at_most
from benchmarks.run import Run
from benchmarks.workers import QUICK_STRIDE, picture
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.models.embedder import Embedder
from xmirad.saliency.codec import Codec, encode
from xmirad.saliency.lattice import STRIDE, WindowLattice
from xmirad.saliency.levels import walk
from xmirad.saliency.masking import WindowMasker, fill_for
from xmirad.saliency.method import Evidence
from xmirad.saliency.occlusion import Occlusion
from xmirad.saliency.scoring import PlainDifferences
from xmirad.types import EncodedImage, Float32Array, UInt8Array

DATA_VARIABLE = "XMIRAD_TEST_DATA"
"""Names the folder that holds `covidx/`, as it does for the tests; without it images are generated."""
IMAGES = (5, 2)
BATCH_SIZE = 16


def codecs(run: Run) -> Iterator[Figure]:
    """Explain each of five images for each of them as a query, with float32 and with coded embeddings."""
    pixels, what = _images(run)
    embeddings = run.embedder.embed(pixels)
    lattice = WindowLattice(size=run.artifact.preprocessing.crop_size, stride=run.count(STRIDE, QUICK_STRIDE))
    errors: dict[Codec, list[float]] = {codec: [] for codec in Codec}
    stated: dict[Codec, list[float]] = {codec: [] for codec in Codec}
    for image, explained in zip(pixels, embeddings, strict=True):
        masked = _masked_embeddings(run.embedder, image, lattice)
        plain = Evidence(explained, masked=PlainDifferences(masked - explained))
        exact = [Occlusion(lattice).explain(Evidence(query), plain)[0].values for query in embeddings]
        for codec in Codec:
            coded = Evidence(explained, masked=encode(masked, explained, codec))
            for query, values in zip(embeddings, exact, strict=True):
                (found,) = Occlusion(lattice).explain(Evidence(query), coded)
                errors[codec].append(float(np.abs(found.values - values).max() / values.max()))
                stated[codec].append(found.error_five_sigma)
    for codec in Codec:
        what_else = f"{len(errors[codec])} maps of {what}, {lattice.windows} windows"
        yield from _figures(codec, errors[codec], stated[codec], note=what_else)
    yield from codec_speed(run)


def _figures(codec: Codec, errors: list[float], stated: list[float], *, note: str) -> Iterator[Figure]:
    yield Figure(
        name=f"{codec}, worst error of a map",
        unit="of maximum",
        values=(max(errors),),
        baseline="allowed",
        baseline_values=(codec.allowed_error,),
        target=at_most(1),
        note=f"median {np.median(errors):.1e}; {note}",
    )
    nearest = max(range(len(errors)), key=lambda number: errors[number] / stated[number])
    yield Figure(
        name=f"{codec}, error nearest to what the map states",
        unit="of maximum",
        values=(errors[nearest],),
        baseline="stated",
        baseline_values=(stated[nearest],),
        target=at_most(1),
        note=f"median stated {np.median(stated):.1e}",
    )


def _images(run: Run) -> tuple[UInt8Array, str]:
    count, folder = run.count(*IMAGES), os.environ.get(DATA_VARIABLE)
    if not folder:
        return np.stack([picture(run.artifact, seed=100 + number) for number in range(count)]), "generated images"
    files = sorted((Path(folder) / "covidx" / "test").iterdir())
    recipe, limits = run.artifact.preprocessing, DecodeLimits()
    chosen = [EncodedImage(file.read_bytes()) for file in files[:: len(files) // count][:count]]
    return np.stack([decode_image(image, recipe, limits).pixels for image in chosen]), "COVIDx X-rays"


def _masked_embeddings(embedder: Embedder, pixels: UInt8Array, lattice: WindowLattice) -> Float32Array:
    image = embedder.artifact.preprocessing.normalize(pixels)
    masker = WindowMasker(lattice, image, fill=fill_for(image), batch_size=BATCH_SIZE)
    return np.concatenate([embedder.embed_normalized(batch) for batch in masker.batches(walk(lattice))])
