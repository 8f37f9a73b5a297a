"""Folders of small generated images, one folder a class, for training tests."""

from pathlib import Path

import numpy as np
from PIL import Image

from xmirad.datasets import Dataset, DatasetItem
from xmirad.types import ItemAttributes, Patient

SIDE = 48


def write_classes(folder: Path, counts: dict[str, int], *, seed: int = 0) -> Path:
    """Write gray noise images whose brightness tells their class; every one is different."""
    random = np.random.default_rng(seed)
    for number, (label, count) in enumerate(counts.items()):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pixels = random.integers(0, 120, (SIDE, SIDE), dtype=np.uint8) + np.uint8(60 * number)
            Image.fromarray(pixels).save(folder / label / f"{label}-{index}.png")
    return folder


def dataset_of(entries: list[tuple[str, str, str]]) -> Dataset:
    """Return a data set of files that are not there: (file name, label, patient or an empty string) each."""
    items = tuple(
        DatasetItem(
            path=Path(name),
            external_id=name,
            attributes=ItemAttributes(labels=(label,)),
            patient=Patient(patient_id=patient) if patient else None,
        )
        for name, label, patient in entries
    )
    return Dataset(name="made-up", items=items)
