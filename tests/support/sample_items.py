"""A small archive in which every attribute varies, and a slow search over it to compare with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from support.pictures import png
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.types import EncodedImage, Float32Array, ItemAttributes, Patient, Sex

LABELS = ("normal", "pneumonia", "covid")
MODALITIES = ("DX", "CR")
PATIENTS = 5
KNOWN_PATIENTS = 20
SAMPLES = 24
COPY_OF = {22: 3, 23: 3}
"""Samples whose bytes are those of another one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image to store, and what is said of it."""

    number: int
    image: EncodedImage
    attributes: ItemAttributes
    patient: Patient | None

    @property
    def external_id(self) -> str:
        """The identifier that it is uploaded with."""
        return f"sample-{self.number}"


def samples() -> Iterator[Sample]:
    """Yield the samples; the first of them have patients, and some are copies of others."""
    for number in range(SAMPLES):
        attributes = ItemAttributes(
            labels=(LABELS[number % 3],) if number % 7 else (LABELS[number % 3], "checked"),
            dataset=f"set-{number % 2}",
            split=("train", "test")[number // 12],
            source=f"source-{number % 5}",
            modality=MODALITIES[number % 2],
            body_part=("CHEST", "HAND", "")[number % 3],
            view_position=("PA", "AP")[number // 3 % 2],
            year=2000 + number if number % 4 else None,
            sex=(Sex.FEMALE, Sex.MALE, Sex.OTHER, None)[number % 4],
            age_band=number % 10 * 10,
            synthetic=bool(number % 2),
        )
        patient = Patient(f"P{number % PATIENTS}", "clinic") if number < KNOWN_PATIENTS else None
        yield Sample(number, png(COPY_OF.get(number, number)), attributes, patient)


def store_samples(client: Client, archive: str) -> dict[int, str]:
    """Create an archive, upload the samples and return the items' names by number."""
    client.create_archive(archive)
    uploads = (
        Upload(
            sample.image,
            correlation_id=str(sample.number),
            external_id=sample.external_id,
            attributes=sample.attributes,
            patient=sample.patient,
        )
        for sample in samples()
    )
    names = {}
    for outcome in client.upload(archive, uploads):
        assert outcome.receipt is not None, outcome.error
        names[int(outcome.correlation_id)] = outcome.receipt.item
    return names


@dataclass(frozen=True, slots=True)
class SlowSearch:
    """Ranks samples by comparing with every one of them."""

    names: Mapping[int, str]
    embeddings: Mapping[int, Float32Array]

    def ranking(
        self, query: Float32Array, *, keep: Callable[[Sample], bool] = lambda _: True
    ) -> list[tuple[str, float]]:
        """Return names and scores of the samples that take part, best first, equal scores by name."""
        unit = query.astype(np.float64) / np.linalg.norm(query.astype(np.float64))
        scored = [
            (self.names[sample.number], float(self.embeddings[sample.number].astype(np.float64) @ unit))
            for sample in samples()
            if keep(sample)
        ]
        return sorted(scored, key=lambda pair: (-round(pair[1], 6), pair[0]))
