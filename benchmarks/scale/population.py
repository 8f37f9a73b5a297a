"""The items of an archive of any size: vectors of a mixture with labels, sites and patients.

Items are numbered, and drawn in blocks that depend on nothing but the mixture, the embedding size and the block's
number: a small archive is the beginning of a larger one, and nobody needs to hold all vectors at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.scale.mixture import Mixture
from xmirad.archive.port import ItemPayload, StoredItem
from xmirad.ids import item_id
from xmirad.types import Float32Array, ItemAttributes

BLOCK = 1_000
SEED = 5
IMAGES_OF_A_PATIENT = 3
"""On average; they lie in the same cluster, and half of the variance along its factors is the patient's."""
SITES = ("local", "north", "south")
SITE_SHARES = (0.89, 0.10, 0.01)
QUERIES = -1
"""Number of the block that queries are drawn from, which is in no archive."""

IntArray = np.typing.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some items with consecutive numbers.

    Attributes:
        first: Number of the first.
        vectors: Unit rows, `[N, D]`.
        clusters: Component of each, `[N]`.
        classes: Class of each, `[N]`.
        sites: Index into `SITES`, `[N]`.
        patients: Number of each one's patient, `[N]`.
    """

    first: int
    vectors: Float32Array
    clusters: IntArray
    classes: IntArray
    sites: IntArray
    patients: IntArray

    def head(self, count: int) -> "Block":
        """Return the first items only."""
        return Block(
            self.first,
            self.vectors[:count],
            self.clusters[:count],
            self.classes[:count],
            self.sites[:count],
            self.patients[:count],
        )

    def items(self) -> list[StoredItem]:
        """Return the items as an archive stores them."""
        return [
            StoredItem(item_name(self.first + row), self._payload(row), vector)
            for row, vector in enumerate(self.vectors)
        ]

    def _payload(self, row: int) -> ItemPayload:
        item = item_name(self.first + row)
        attributes = ItemAttributes(
            labels=(class_label(self.classes[row]), cluster_label(self.clusters[row])),
            dataset="scale",
            modality="DX",
            synthetic=True,
        )
        patient = patient_name(self.patients[row])
        return ItemPayload(SITES[self.sites[row]], item, attributes, patient=patient, patient_known=True)


class Population:
    """Draws blocks."""

    def __init__(self, mixture: Mixture, embedding_size: int) -> None:
        """Draw from a mixture; vectors shorter than its own are a fixed random projection of these."""
        self._mixture = mixture
        self._size = embedding_size
        self._projection = _projection(mixture.means.shape[1], embedding_size)

    def block(self, number: int) -> Block:
        """Return a block; `QUERIES` is that of the queries."""
        generator = np.random.default_rng([SEED, self._size, number + 1])
        patient = np.cumsum(generator.random(BLOCK) < 1 / IMAGES_OF_A_PATIENT, dtype=np.int64)
        weights = self._mixture.weights.astype(np.float64)
        clusters = generator.choice(len(weights), BLOCK + 1, p=weights / weights.sum())[patient]
        vectors = self._mixture.draw(clusters, self._latent(patient, generator), generator)
        if self._projection is not None:
            vectors = vectors @ self._projection
        return Block(
            first=number * BLOCK,
            vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            clusters=clusters,
            classes=self._mixture.classes[clusters],
            sites=generator.choice(len(SITES), BLOCK, p=SITE_SHARES),
            patients=patient + number * BLOCK * 2,
        )

    def blocks(self, items: int) -> Iterator[Block]:
        """Yield the blocks of an archive."""
        for number in range(-(-items // BLOCK)):
            yield self.block(number).head(items - number * BLOCK)

    def _latent(self, patient: IntArray, generator: np.random.Generator) -> Float32Array:
        rank = self._mixture.factors.shape[1]
        shared = generator.standard_normal((BLOCK + 1, rank), dtype=np.float32)[patient]
        own = generator.standard_normal((BLOCK, rank), dtype=np.float32)
        latent: Float32Array = np.sqrt(np.float32(0.5)) * (shared + own)
        return latent


def item_name(number: int) -> str:
    """Return the id of an item."""
    return item_id("scale", f"item {number}")


def patient_name(number: int) -> str:
    """Return the key of a patient."""
    return f"patient-{number:08d}"


def class_label(number: int) -> str:
    """Return the label of a class."""
    return f"class-{number}"


def cluster_label(number: int) -> str:
    """Return the label of a cluster."""
    return f"cluster-{number}"


def _projection(size: int, wanted: int) -> Float32Array | None:
    """Return orthonormal columns, `[size, wanted]`, or None where nothing is to be projected."""
    if wanted == size:
        return None
    columns, _ = np.linalg.qr(np.random.default_rng(SEED).standard_normal((size, wanted)))
    return columns.astype(np.float32)
