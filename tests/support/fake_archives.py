"""Archives in memory, with a brute-force search, for tests of whatever talks to a service."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from xmirad.api.v1.archive_service_pb2 import Import
from xmirad.api.v1.explanation_service_pb2 import Explanation
from xmirad.errors import (
    ArchiveAlreadyExistsError,
    ArchiveEmptyError,
    ArchiveNotEmptyError,
    ArchiveNotFoundError,
    InvalidImageError,
    ItemAlreadyExistsError,
    ItemNotFoundError,
)
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.ids import image_digest, item_id, item_name, upload_key
from xmirad.types import EncodedImage, Float32Array, ItemAttributes, ItemFilter, OriginalsPolicy, Patient, UploadState

EMBEDDING_SIZE = 16
DIGEST = "ab" * 32


@dataclass(frozen=True)
class FakeItem:
    name: str
    external_id: str
    attributes: ItemAttributes
    patient: Patient | None
    image: EncodedImage
    embedding: Float32Array

    @property
    def item(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def digest(self) -> str:
        return image_digest(self.image.data, self.image.frame)


def embedding_of(image: EncodedImage) -> Float32Array:
    """Return a unit vector that depends on every byte; data that begins with `bad` is no image."""
    if image.data.startswith(b"bad"):
        raise InvalidImageError("the image cannot be decoded", field="image")
    seed = int.from_bytes(hashlib.sha256(image.data).digest()[:8])
    vector = np.random.default_rng(seed).normal(size=EMBEDDING_SIZE)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class FakeArchive:
    archive: str
    model: str
    originals: OriginalsPolicy
    items: dict[str, FakeItem] = field(default_factory=dict)
    calibration: EvidenceCalibration | None = None

    def store(
        self, image: EncodedImage, external_id: str, attributes: ItemAttributes, patient: Patient | None
    ) -> tuple[FakeItem, UploadState]:
        item = item_id(self.archive, upload_key(external_id=external_id, digest=image_digest(image.data, image.frame)))
        name = item_name(self.archive, item)
        new = FakeItem(name, external_id, attributes, patient, image, embedding_of(image))
        old = self.items.get(item)
        if old is not None and old.digest != new.digest:
            raise ItemAlreadyExistsError("the item exists with another image", metadata={"item": name})
        self.items[item] = new
        if old is None:
            return new, UploadState.CREATED
        return new, UploadState.UNCHANGED if replace(old, image=image, embedding=new.embedding) == new else (
            UploadState.UPDATED
        )

    def get(self, item: str) -> FakeItem:
        if item not in self.items:
            name = item_name(self.archive, item)
            raise ItemNotFoundError(f"there is no item {name}", metadata={"item": name})
        return self.items[item]

    def select(self, asked: ItemFilter) -> list[FakeItem]:
        return [self.items[item] for item in sorted(self.items) if _meets(self.items[item], asked)]

    def nearest(self, embedding: Float32Array, asked: ItemFilter) -> list[tuple[FakeItem, float]]:
        if not self.items:
            raise ArchiveEmptyError("the archive holds no items", metadata={"archive": self.archive})
        scored = [(item, float(item.embedding @ embedding)) for item in self.select(asked)]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0].name))

    def counts(self) -> dict[str, Counter[str]]:
        labels = Counter(label for item in self.items.values() for label in item.attributes.labels)
        return {"labels": labels, "datasets": Counter(item.attributes.dataset for item in self.items.values())}


@dataclass
class FakeArchives:
    archives: dict[str, FakeArchive] = field(default_factory=dict)
    explanations: dict[str, Explanation] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)

    def create(self, archive: str, model: str, originals: OriginalsPolicy) -> FakeArchive:
        new = FakeArchive(archive, f"models/{DIGEST}", originals)
        found = self.archives.setdefault(archive, new)
        if model not in ("", "fake", DIGEST):
            raise ArchiveAlreadyExistsError("the archive has another model", metadata={"archive": archive})
        return found

    def get(self, archive: str) -> FakeArchive:
        if archive not in self.archives:
            raise ArchiveNotFoundError(f"there is no archive {archive}", metadata={"archive": archive})
        return self.archives[archive]

    def delete(self, archive: str, *, force: bool) -> None:
        if self.get(archive).items and not force:
            raise ArchiveNotEmptyError("the archive holds items", metadata={"archive": archive})
        del self.archives[archive]

    def __iter__(self) -> Iterator[FakeArchive]:
        return (self.archives[archive] for archive in sorted(self.archives))


def _meets(item: FakeItem, asked: ItemFilter) -> bool:
    has = item.attributes
    return (
        item.item not in asked.excluded_items
        and (not asked.labels or bool(set(asked.labels) & set(has.labels)))
        and (not asked.datasets or has.dataset in asked.datasets)
        and (not asked.sexes or has.sex in asked.sexes)
    )
