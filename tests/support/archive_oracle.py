"""Random archives, and a search over them that is slow, obvious and shares nothing with the real one."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from xmirad.archive.port import ArchiveBinding, ItemPayload, StoredItem
from xmirad.archive.search import SearchQuery
from xmirad.types import Float32Array, IntRange, ItemAttributes, ItemFilter, PatientPolicy, SamePatient, Sex

EMBEDDING_SIZE = 16
LABELS = ("covid", "normal", "Lungenentzündung", "肺炎")
SPLITS = ("train", "test")


def creation_of(archive: str) -> str:
    """Return the creation of the archive of a name."""
    return hashlib.sha256(archive.encode()).hexdigest()[:32]


def binding_of(archive: str = "covidx", *, embedding_size: int = EMBEDDING_SIZE) -> ArchiveBinding:
    """Return the binding that tests use."""
    return ArchiveBinding(archive, creation_of(archive), "d" * 64, embedding_size, "f" * 16)


def lattice_embedding(random: np.random.Generator) -> Float32Array:
    """Return a unit vector of +-1/4: scores are multiples of 1/8, exact in any order of summation, and tie often."""
    signs = random.choice([-0.25, 0.25], size=EMBEDDING_SIZE)
    return signs.astype(np.float32)


def smooth_embedding(random: np.random.Generator, embedding_size: int = EMBEDDING_SIZE) -> Float32Array:
    """Return a unit vector of any direction."""
    values = random.normal(size=embedding_size)
    return (values / np.linalg.norm(values)).astype(np.float32)


def random_id(random: np.random.Generator) -> str:
    """Return an item's id."""
    return str(UUID(bytes=random.bytes(16), version=5))


def random_item(random: np.random.Generator, embedding: Float32Array) -> StoredItem:
    """Return an item of one of two sites, of one of a few patients or of a patient that is not known."""
    labels = random.permutation(LABELS)[: random.integers(0, 3)]
    known = bool(random.random() < 0.7)
    attributes = ItemAttributes(
        labels=tuple(str(label) for label in labels),
        dataset="covidx",
        split=str(random.choice(SPLITS)),
        modality=str(random.choice(["DX", "CT", ""])),
        year=None if random.random() < 0.3 else int(random.integers(2000, 2010)),
        sex=(None, Sex.FEMALE, Sex.MALE)[random.integers(0, 3)],
        age_band=None if random.random() < 0.3 else int(random.integers(0, 10)) * 10,
        synthetic=bool(random.random() < 0.5),
    )
    payload = ItemPayload(
        site=str(random.choice(["local", "elsewhere"], p=[0.7, 0.3])),
        image_digest=f"digest-{random.integers(0, 40)}",
        attributes=attributes,
        patient=f"patient-{int(random.exponential(4.0))}" if known else f"study-{random.integers(0, 8)}",
        patient_known=known,
    )
    return StoredItem(random_id(random), payload, embedding)


def random_items(random: np.random.Generator, count: int, *, smooth: bool = False) -> list[StoredItem]:
    """Return items of random content."""
    embedding = smooth_embedding if smooth else lattice_embedding
    return [random_item(random, embedding(random)) for _ in range(count)]


def random_range(random: np.random.Generator, step: int, offset: int) -> IntRange | None:
    """Return a range that may be open at either end, or none."""
    first, last = sorted(int(end) * step + offset for end in random.integers(0, 10, size=2))
    options = (None, None, IntRange(first, last), IntRange(first, None), IntRange(None, last))
    return options[random.integers(0, len(options))]


def some_of(random: np.random.Generator, values: Sequence[str]) -> tuple[str, ...]:
    """Return none, one or more of the values; mostly none."""
    size = random.integers(1, len(values) + 1) if random.random() < 0.3 else 0
    return tuple(str(value) for value in random.permutation(list(values))[:size])


def random_filter(random: np.random.Generator, items: Sequence[StoredItem]) -> ItemFilter:
    """Return a filter that asks for something in some of its fields."""
    return ItemFilter(
        labels=some_of(random, LABELS),
        splits=some_of(random, SPLITS),
        modalities=some_of(random, ["DX", "CT"]),
        sexes=tuple(Sex(sex) for sex in some_of(random, ["F", "M"])),
        years=random_range(random, 1, 2000),
        age_bands=random_range(random, 10, 0),
        excluded_items=some_of(random, [item.item for item in items[:5]]),
    )


def random_query(random: np.random.Generator, items: Sequence[StoredItem], *, smooth: bool = False) -> SearchQuery:
    """Return a search that uses everything a search can ask for, some of it most of the time."""
    known = bool(random.random() < 0.7)
    own = items[int(random.integers(0, len(items)))]
    embedding = smooth_embedding if smooth else lattice_embedding
    return SearchQuery(
        embedding=embedding(random) * np.float32(random.choice([1.0, 3.0])),
        top_k=int(random.choice([1, 3, 10, 50, 500])),
        filter=random_filter(random, items) if random.random() < 0.6 else ItemFilter(),
        site="local",
        patient=own.payload.patient,
        patient_known=own.payload.patient_known if known else False,
        policy=list(PatientPolicy)[random.integers(0, len(PatientPolicy))],
        excluded_item=own.item if random.random() < 0.3 else None,
        excluded_image_digest=own.payload.image_digest if random.random() < 0.3 else None,
        min_score=0.125 if random.random() < 0.3 else None,
        exact=bool(random.random() < 0.5),
    )


@dataclass(frozen=True)
class ExpectedResult:
    """A result as the oracle sees it."""

    item: str
    score: float
    same_patient: SamePatient | None


def takes_part(item: StoredItem, query: SearchQuery) -> bool:
    """Tell by plain comparisons whether an item takes part in a search."""
    return all(_demands(item, query))


def _demands(item: StoredItem, query: SearchQuery) -> Iterator[bool]:
    wanted, has = query.filter, item.payload.attributes
    yield item.payload.site == query.site
    yield not wanted.labels or bool(set(wanted.labels) & set(has.labels))
    yield not wanted.splits or has.split in wanted.splits
    yield not wanted.modalities or has.modality in wanted.modalities
    yield not wanted.sexes or has.sex in wanted.sexes
    yield _within(has.year, wanted.years)
    yield _within(has.age_band, wanted.age_bands)
    yield item.item not in wanted.excluded_items
    yield item.item != query.excluded_item
    yield item.payload.image_digest != query.excluded_image_digest
    yield query.policy is not PatientPolicy.EXCLUDE or item.payload.patient != query.patient


def _within(value: int | None, wanted: IntRange | None) -> bool:
    if wanted is None:
        return True
    if value is None:
        return False
    above = wanted.first is None or value >= wanted.first
    return above and (wanted.last is None or value <= wanted.last)


def expected_results(items: Sequence[StoredItem], query: SearchQuery) -> list[ExpectedResult]:
    """Rank every item that takes part, drop all but the best of each patient if asked to, and cut."""
    unit = query.embedding.astype(np.float64) / np.linalg.norm(query.embedding.astype(np.float64))
    scored = []
    for item in items:
        assert item.embedding is not None
        if takes_part(item, query):
            scored.append((-float(item.embedding.astype(np.float64) @ unit), item.item, item.payload))
    results: list[ExpectedResult] = []
    patients: set[str] = set()
    for negative, name, payload in sorted(scored, key=lambda row: row[:2]):
        seen = payload.patient in patients
        patients.add(payload.patient)
        if not (seen and query.policy is PatientPolicy.GROUP):
            results.append(ExpectedResult(name, -negative, _same_patient(payload, query)))
    kept = results[: query.top_k]
    return [result for result in kept if query.min_score is None or result.score >= query.min_score]


def _same_patient(payload: ItemPayload, query: SearchQuery) -> SamePatient | None:
    if query.policy not in (PatientPolicy.FLAG, PatientPolicy.EXCLUDE):
        return None
    if payload.patient == query.patient:
        return SamePatient.YES
    if payload.patient_known and query.patient_known:
        return SamePatient.NO
    return SamePatient.UNKNOWN
