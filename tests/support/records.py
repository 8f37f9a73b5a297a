"""Records for tests, each field with a sensible value."""

from dataclasses import replace
from typing import Any

import numpy as np

from xmirad.catalog.records import ArchiveRecord, Identity, ItemRecord
from xmirad.ids import item_id
from xmirad.types import Float32Array, ImageGeometry, ItemAttributes, OriginalsPolicy

EMBEDDING_SIZE = 8
MODEL = "m" * 64
CREATION = "c" * 32
GEOMETRY = ImageGeometry(512, 400, 328, 256, 52, 16, 224)


def archive_record(**changes: Any) -> ArchiveRecord:  # noqa: ANN401
    """Return the record of an archive `chest`."""
    record = ArchiveRecord(
        creation=CREATION,
        archive="chest",
        site="local",
        model=MODEL,
        embedding_size=EMBEDDING_SIZE,
        preprocessing="p" * 64,
        site_key_fingerprint="f" * 16,
        originals=OriginalsPolicy.COPY,
        create_time=1_000.0,
    )
    return replace(record, **changes)


def item_record(number: int = 0, **changes: Any) -> ItemRecord:  # noqa: ANN401
    """Return the record of an item; items of different numbers differ in identity and image."""
    image = f"{number:064x}"
    record = ItemRecord(
        creation=CREATION,
        archive="chest",
        item=item_id("chest", f"external:{number}"),
        revision=1,
        image=image,
        file=image,
        preprocessing="p" * 64,
        attributes=ItemAttributes(labels=("normal",), split="test"),
        patient=f"patient-{number}",
        patient_known=True,
        identity=Identity(external_id=str(number)),
        geometry=GEOMETRY,
        media_type="image/png",
        create_time=2_000.0,
    )
    return replace(record, **changes)


def unit_vector(seed: int, size: int = EMBEDDING_SIZE) -> Float32Array:
    """Return a random unit vector, float32 `[size]`."""
    vector = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
