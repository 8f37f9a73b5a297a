from pathlib import Path

import pytest

from xmirad.datasets import Layout, read_dataset
from xmirad.datasets.dataset import DatasetItem
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_the_first_level_is_the_class_and_the_order_is_stable(tmp_path: Path) -> None:
    fill(tmp_path, "nevus/b.jpg", "nevus/deep/er/a.jpg", "melanoma/c.png", "loose.png")
    dataset = read_dataset(tmp_path)
    found = [(item.path.relative_to(tmp_path).as_posix(), item.attributes.labels) for item in dataset.items]
    assert found == [
        ("loose.png", ()),
        ("melanoma/c.png", ("melanoma",)),
        ("nevus/b.jpg", ("nevus",)),
        ("nevus/deep/er/a.jpg", ("nevus",)),
    ]
    assert {item.external_id for item in dataset.items} == {""}


def test_every_file_is_an_item_except_hidden_ones_and_documents(tmp_path: Path) -> None:
    fill(tmp_path, "x/broken.dat", "x/film.mp4", "x/readme.txt", "x/.hidden.png", ".git/config", "x/.cache/y.png")
    fill(tmp_path, "x/Thumbs.db", ".DS_Store", "__MACOSX/x/._a.png", "LICENSE", "x/a.csv")
    dataset = read_dataset(tmp_path)
    assert [item.path.name for item in dataset.items] == ["broken.dat", "film.mp4"]
    assert dataset.warnings == (
        "left out 9 files or folders that are hidden or not images: .DS_Store, .cache, .git, .hidden.png, LICENSE, "
        "Thumbs.db, __MACOSX, a.csv, readme.txt",
    )


def test_a_class_without_images_is_warned_of_by_its_name(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.png")
    (tmp_path / "nobody" / "below").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    dataset = read_dataset(tmp_path)
    assert dataset.warnings[0] == "the class 'nobody' has no images"
    assert len(dataset.items) == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="holds no images"):
        read_dataset(tmp_path)


def test_a_path_where_nothing_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="there is nothing at"):
        read_dataset(tmp_path / "gone")


def test_a_class_folder_with_too_long_a_name_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, f"{'x' * 65}/a.png")
    with pytest.raises(InvalidRequestError, match="1 to 64 printable characters"):
        read_dataset(tmp_path)


def test_a_split_of_a_folder_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.png")
    with pytest.raises(InvalidRequestError, match="has no splits") as caught:
        read_dataset(tmp_path, split="test")
    assert caught.value.field == "split"


def test_a_layout_that_is_asked_for_wins_over_the_detected_one(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.png")
    (tmp_path / "manifest.csv").write_text("path\nx/a.png\n")
    assert len(read_dataset(tmp_path).items) == 1
    (item,) = read_dataset(tmp_path, layout=Layout.FOLDER).items
    assert item.attributes.labels == ("x",)


@pytest.mark.parametrize("layout", [Layout.FOLDER, Layout.ISIC2017])
def test_a_file_is_no_folder(tmp_path: Path, layout: Layout) -> None:
    fill(tmp_path, "a.png")
    with pytest.raises(InvalidRequestError, match="is not a folder"):
        read_dataset(tmp_path / "a.png", layout=layout)


def test_a_file_is_named_with_its_folder() -> None:
    name = "m\udcfcd.png"  # a byte that is not UTF-8, as Python reads it from a file system
    long = "d" * 2000
    paths = ("x/normal/a.png", "a.png", name, long)

    named = [DatasetItem(Path(path), "", ItemAttributes()).file_name for path in paths]

    assert named == ["normal/a.png", "a.png", "m\ufffdd.png", long[:1024]]
