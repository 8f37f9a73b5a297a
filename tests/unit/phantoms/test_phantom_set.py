from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xmirad.datasets import Layout, read_dataset
from xmirad.errors import InvalidRequestError
from xmirad.phantoms.drawing import draw_phantom
from xmirad.phantoms.findings import FINDINGS
from xmirad.phantoms.writing import write_phantoms


def test_the_set_reads_back_as_three_classes_marked_synthetic(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "phantoms", images_per_class=2, seed=0)
    dataset = read_dataset(tmp_path / "phantoms")
    assert dataset.name == "phantoms"
    assert [item.attributes.labels[0] for item in dataset.items] == [name for name in FINDINGS for _ in range(2)]
    assert all(item.attributes.synthetic for item in dataset.items)
    assert len({item.external_id for item in dataset.items}) == 6
    assert dataset.warnings == ()


def test_every_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    write_phantoms(tmp_path, images_per_class=1, seed=3)
    for path in tmp_path.glob("*/*.png"):
        assert path.name.startswith("synthetic-")
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (256, 256))
            assert "Synthetic image" in image.info["Comment"]
    assert "None shows a patient" in (tmp_path / "README.md").read_text()


def test_a_larger_set_begins_with_the_images_of_a_smaller_one(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "small", images_per_class=1, seed=5)
    write_phantoms(tmp_path / "large", images_per_class=2, seed=5)
    name = "haze/synthetic-haze-0000.png"
    assert (tmp_path / "small" / name).read_bytes() == (tmp_path / "large" / name).read_bytes()


def test_writing_again_gives_the_same_set(tmp_path: Path) -> None:
    write_phantoms(tmp_path, images_per_class=1, seed=1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_phantoms(tmp_path, images_per_class=1, seed=1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_seed_number_and_finding_each_change_the_picture() -> None:
    first = draw_phantom("haze", seed=0, number=0)
    np.testing.assert_array_equal(first, draw_phantom("haze", seed=0, number=0))
    for other in (
        draw_phantom("haze", seed=1, number=0),
        draw_phantom("haze", seed=0, number=1),
        draw_phantom("nodules", seed=0, number=0),
    ):
        assert np.abs(first.astype(int) - other).mean() > 3


@pytest.mark.parametrize("finding", list(FINDINGS))
def test_pictures_are_not_flat_and_mostly_not_clipped(finding: str) -> None:
    for number in range(4):
        pixels = draw_phantom(finding, seed=0, number=number)
        assert pixels.std() > 20
        assert np.mean(pixels == 255) < 0.05


def test_the_classes_differ_in_place_not_in_mean_brightness() -> None:
    means = {
        finding: np.mean([draw_phantom(finding, seed=0, number=number).mean() for number in range(12)])
        for finding in FINDINGS
    }
    assert max(means.values()) - min(means.values()) < 20


@pytest.mark.parametrize(
    ("count", "seed", "field"), [(0, 0, "images_per_class"), (10_001, 0, "images_per_class"), (1, -1, "seed")]
)
def test_a_number_or_seed_that_is_not_allowed_is_refused(tmp_path: Path, count: int, seed: int, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        write_phantoms(tmp_path, images_per_class=count, seed=seed)
    assert caught.value.field == field


def test_the_set_also_reads_as_folder_per_class(tmp_path: Path) -> None:
    write_phantoms(tmp_path, images_per_class=1, seed=0)
    labels = {item.attributes.labels for item in read_dataset(tmp_path, layout=Layout.FOLDER).items}
    assert labels == {("nodules",), ("stripes",), ("haze",)}
