"""The published data sets, where `XMIRAD_TEST_DATA` says they are."""

from collections import Counter
from pathlib import Path

from xmirad.datasets import Dataset, read_dataset
from xmirad.datasets.duplicates import duplicates


def classes(dataset: Dataset) -> dict[str, int]:
    return dict(Counter(item.attributes.labels[0] for item in dataset.items))


def test_covidx_has_its_classes_sources_and_patients(real_data: Path) -> None:
    dataset = read_dataset(real_data / "covidx")
    assert classes(dataset) == {"normal": 75, "pneumonia": 75, "COVID-19": 75}
    sources = Counter(item.attributes.source for item in dataset.items)
    assert sources == {"rsna": 146, "cohen": 55, "actmed": 16, "fig1": 8}
    assert len({item.patient for item in dataset.items}) < 225


def test_covidx_training_images_are_read_as_well(real_data: Path) -> None:
    assert classes(read_dataset(real_data / "covidx", split="train")) == {
        "normal": 300,
        "pneumonia": 300,
        "COVID-19": 187,
    }


def test_isic2017_has_its_balanced_and_its_full_list(real_data: Path) -> None:
    folder = real_data / "isic2017"
    assert classes(read_dataset(folder)) == {"nevus": 68, "seborrheic keratosis": 68, "melanoma": 68}
    assert classes(read_dataset(folder, full=True)) == {"nevus": 295, "seborrheic keratosis": 68, "melanoma": 88}


def test_the_identical_files_of_the_isic_test_list_are_found(real_data: Path) -> None:
    lines = duplicates(read_dataset(real_data / "isic2017", full=True).items).lines()
    assert lines == [
        "2 identical files: test/ISIC_0012152.jpg, test/ISIC_0015979.jpg",
        "2 identical files: test/ISIC_0012216.jpg, test/ISIC_0016001.jpg",
    ]
