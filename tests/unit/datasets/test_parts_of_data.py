from dataclasses import replace
from pathlib import Path

import pytest

from xmirad.datasets.dataset import Dataset, DatasetItem
from xmirad.datasets.digests import IdentifiedItem, data_digest, identified
from xmirad.datasets.splits import require_separate_patients
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Patient


def part(name: str, *patients: tuple[str, str] | None) -> Dataset:
    items = tuple(
        DatasetItem(Path(f"{name}-{number}.png"), "", ItemAttributes(), None if who is None else Patient(*who))
        for number, who in enumerate(patients)
    )
    return Dataset(name, items)


def test_parts_without_a_common_patient_may_stand_beside_each_other() -> None:
    require_separate_patients(part("test", ("1", "a"), ("2", "a"), None), part("train", ("1", "b"), None))


def test_a_patient_in_both_parts_is_refused_by_the_names_of_the_files() -> None:
    first = part("test", ("secret-1", "a"), ("secret-2", "a"), ("3", "a"))
    second = part("train", ("9", "a"), ("secret-2", "a"), ("secret-1", "a"))
    with pytest.raises(InvalidRequestError) as refusal:
        require_separate_patients(first, second)
    message = refusal.value.message
    assert message == (
        "2 patients have images both in test and in train: test-0.png and train-2.png; test-1.png and train-1.png"
    )
    assert "secret" not in message + str(refusal.value.metadata)


def test_many_common_patients_are_counted_instead_of_named() -> None:
    both = [(str(number), "a") for number in range(8)]
    with pytest.raises(InvalidRequestError, match=r"8 patients .*, and 3 more$"):
        require_separate_patients(part("test", *both), part("train", *both))


def image(key: str, digest: str, *labels: str) -> IdentifiedItem:
    return IdentifiedItem(DatasetItem(Path("x.png"), key, ItemAttributes(labels=labels)), digest)


def test_the_digest_of_data_depends_on_keys_images_and_labels_alone() -> None:
    one, two = image("a", "1" * 64, "x", "y"), image("b", "2" * 64, "z")
    digest = data_digest([one, two])
    assert digest == data_digest([two, one])
    moved = replace(one, item=replace(one.item, path=Path("elsewhere.png")))
    assert digest == data_digest([two, moved])
    assert digest == data_digest([two, image("a", "1" * 64, "y", "x")])
    others = [image("c", "1" * 64, "x", "y"), image("a", "3" * 64, "x", "y"), image("a", "1" * 64, "x")]
    assert len({digest, *(data_digest([other, two]) for other in others), data_digest([one])}) == 5


def test_an_image_without_an_id_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"bytes")
    found = identified(DatasetItem(path, "", ItemAttributes()))
    assert found.key == found.image_digest
    assert identified(DatasetItem(path, "id", ItemAttributes())).key == "id"
    assert identified(DatasetItem(path, "", ItemAttributes(), frame=2)).image_digest != found.image_digest
