"""`<split>/<class>/<images>`, and folders that only look like classes."""

from collections import Counter
from pathlib import Path

import pytest

from xmirad.datasets import Dataset, Layout, read_dataset
from xmirad.datasets.reading import detect_layout
from xmirad.errors import InvalidRequestError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def counted(dataset: Dataset) -> Counter[tuple[str, str]]:
    return Counter((item.attributes.split, "|".join(item.attributes.labels)) for item in dataset.items)


KERMANY = [
    *("train/NORMAL/n1.jpeg", "train/NORMAL/n2.jpeg", "train/PNEUMONIA/p1.jpeg"),
    *("test/NORMAL/n3.jpeg", "test/PNEUMONIA/p2.jpeg", "val/NORMAL/n4.jpeg", "val/PNEUMONIA/deep/p3.jpeg"),
]


def test_splits_and_classes_are_told_apart(tmp_path: Path) -> None:
    fill(tmp_path, *KERMANY, "train/NORMAL/Thumbs.db", "test/.DS_Store", "__MACOSX/train/NORMAL/._n1.jpeg")
    dataset = read_dataset(tmp_path)
    assert detect_layout(tmp_path) is Layout.SPLIT_FOLDER
    assert counted(dataset) == {
        ("train", "NORMAL"): 2,
        ("train", "PNEUMONIA"): 1,
        ("test", "NORMAL"): 1,
        ("test", "PNEUMONIA"): 1,
        ("val", "NORMAL"): 1,
        ("val", "PNEUMONIA"): 1,
    }
    assert dataset.unreadable == ()
    assert {item.attributes.dataset for item in dataset.items} == {tmp_path.name}


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("Training", "Testing"), {"train", "test"}),
        (("TRAIN", "valid", "TEST"), {"train", "val", "test"}),
        (("training", "validation"), {"train", "val"}),
        (("train",), {"train"}),
        (("dev", "test"), {"val", "test"}),
    ],
)
def test_usual_names_of_splits_are_known_in_any_case(
    tmp_path: Path, folders: tuple[str, ...], splits: set[str]
) -> None:
    fill(tmp_path, *(f"{folder}/{label}/{folder}.png" for folder in folders for label in ("a", "b")))
    assert {item.attributes.split for item in read_dataset(tmp_path).items} == splits


@pytest.mark.parametrize("asked", ["val", "validation", "VALID"])
def test_one_split_is_read_by_any_of_its_names(tmp_path: Path, asked: str) -> None:
    dataset = read_dataset(fill(tmp_path, *KERMANY), split=asked)
    assert dataset.name == f"{tmp_path.name}-val"
    assert counted(dataset) == {("val", "NORMAL"): 1, ("val", "PNEUMONIA"): 1}


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="it has: test, train, all") as caught:
        read_dataset(fill(tmp_path, *(name for name in KERMANY if not name.startswith("val"))), split="validation")
    assert caught.value.field == "split"


def test_a_folder_beside_the_splits_is_left_out_by_name(tmp_path: Path) -> None:
    dataset = read_dataset(fill(tmp_path, *KERMANY, *(f"chest_xray/{name}" for name in KERMANY)))
    assert len(dataset.items) == len(KERMANY)
    assert "'chest_xray' is not a split and was left out (7 files)" in dataset.warnings


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (("train/a.png", "test/b.png"), "'test' is the name of a split, and images lie in it directly"),
        (("train/x/a.png", "train/b.png", "test/x/c.png"), "'train' is the name of a split"),
        (("train/images/a.png", "train/labels/a.dat"), "'train/images', 'train/labels' is not a class"),
        (("data/a.png",), "'data' is the name of what holds images"),
        (("images/a.png", "masks/a.png"), "'images', 'masks' is the name of what holds images"),
        (("chest_xray/train/A/a.png", "chest_xray/test/A/b.png"), "'chest_xray' holds splits and is not a class"),
    ],
)
def test_folders_that_would_be_wrong_classes_are_refused_with_the_remedy(
    tmp_path: Path, names: tuple[str, ...], wrong: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(fill(tmp_path, *names))
    assert wrong in caught.value.message
    for remedy in ("<split>/<class>/<images>", "manifest.csv", "--exclude", "--layout folder"):
        assert remedy in caught.value.message


def test_a_folder_around_the_splits_is_refused_with_the_path_that_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(fill(tmp_path, *(f"chest_xray/{name}" for name in KERMANY)))
    assert f"Give {tmp_path / 'chest_xray'}, --exclude" in caught.value.message
    assert counted(read_dataset(tmp_path / "chest_xray"))[("val", "NORMAL")] == 1


def test_what_was_refused_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, "train/a.png", "test/b.png")
    labels = [item.attributes.labels for item in read_dataset(tmp_path, layout=Layout.FOLDER).items]
    assert labels == [("test",), ("train",)]
    assert [item.attributes.labels for item in read_dataset(tmp_path / "train").items] == [()]


def test_one_class_called_like_a_split_is_a_class_with_a_warning(tmp_path: Path) -> None:
    dataset = read_dataset(fill(tmp_path, "control/a.png", "melanoma/b.png", "test/c.png"))
    assert {item.attributes.labels for item in dataset.items} == {("control",), ("melanoma",), ("test",)}
    assert dataset.warnings == ("the class 'test' is called like a split",)


def test_splits_within_classes_are_warned_of(tmp_path: Path) -> None:
    dataset = read_dataset(fill(tmp_path, "a/train/1.png", "a/test/2.png", "b/train/3.png", "b/test/4.png"))
    assert {item.attributes.labels for item in dataset.items} == {("a",), ("b",)}
    assert "splits within classes are not told apart: a, b" in dataset.warnings[0]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ISIC2018_Task1-2_Training_Input/a.jpg", "an ISIC challenge"),
        ("ISBI2016_ISIC_Part3_Training_GroundTruth.csv", "an ISIC challenge"),
        ("ISIC_2024_Training_Input/a.jpg", "an ISIC challenge"),
        ("HAM10000_metadata.csv", "HAM10000"),
        ("Data_Entry_2017_v2020.csv", "NIH ChestX-ray14"),
        ("stage_2_train_labels.csv", "the RSNA pneumonia challenge"),
    ],
)
def test_a_known_data_set_that_no_reader_takes_is_refused_with_the_remedy(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(fill(tmp_path, "pictures/a.jpg", name))
    assert f"looks like {what}" in caught.value.message
    assert "CSV manifest with the columns path and labels" in caught.value.message
    if "ISIC" in what:
        assert "ISIC2018_Task3_Training_GroundTruth.csv beside ISIC2018_Task3_Training_Input/" in caught.value.message


def test_a_table_beside_folders_of_classes_is_not_read_in_silence(tmp_path: Path) -> None:
    dataset = read_dataset(fill(tmp_path, "a/1.png", "b/2.png", "labels.csv"))
    assert "labels.csv was not read: the classes are the names of the folders" in dataset.warnings[0]


def test_masks_within_classes_are_warned_of_with_the_remedy(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{label}/{kind}/1.png" for label in ("COVID", "Normal") for kind in ("images", "masks")))
    (warning,) = read_dataset(tmp_path).warnings
    assert warning == "files in folders called 'masks': 2; if they are masks, leave them out with --exclude 'masks'"
