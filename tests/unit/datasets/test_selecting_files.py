"""Patterns, links, and what cannot be read: nothing is left out in silence."""

import os
from pathlib import Path

import pytest

from xmirad.datasets import Dataset, Layout, read_dataset
from xmirad.datasets.selection import PathFilter, Selection
from xmirad.errors import InvalidRequestError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def names(dataset: Dataset, folder: Path) -> list[str]:
    return [item.path.relative_to(folder).as_posix() for item in dataset.items]


def whys(dataset: Dataset, folder: Path) -> dict[str, str]:
    return {each.path.relative_to(folder).as_posix(): each.why for each in dataset.unreadable}


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("masks", ["COVID/masks/1.png", "masks/1.png", "masks"], ["COVID/images/masks.png", "COVID/mymasks/1.png"]),
        ("*.png", ["1.png", "a/b/1.png"], ["1.PNG", "1.png2"]),
        ("masks/", ["COVID/masks/1.png"], ["COVID/images/1.png"]),
        ("*/masks/*", ["COVID/masks/1.png", "a/masks/b/1.png"], ["a/b/masks/1.png", "masks/1.png"]),
        ("**/masks/**", ["masks/1.png", "a/b/masks/1.png"], ["a/masks.png"]),
        ("train/**", ["train/a/1.png"], ["test/train/1.png"]),
        ("./train", ["train/a/1.png"], ["a/train/1.png", "training/1.png"]),
        ("a?.png", ["a1.png"], ["a12.png", "a/.png"]),
        ("[ab]/*.png", ["a/1.png", "b/1.png"], ["c/1.png", "a/b/1.png"]),
        ("[!a]*", ["b/1.png"], ["a"]),
        ("a (1).png", ["x/a (1).png"], ["x/a 1.png"]),
        ("a[", ["a["], ["a"]),
    ],
)
def test_a_pattern_matches_names_or_paths(pattern: str, matching: list[str], others: list[str]) -> None:
    selected = PathFilter(Selection(include=(pattern,)))
    assert [name for name in [*matching, *others] if selected.takes(name)] == matching


def test_masks_are_left_out_and_videos_too(tmp_path: Path) -> None:
    fill(tmp_path, "COVID/images/1.png", "COVID/masks/1.png", "Normal/images/2.png", "Normal/masks/2.png", "a.mp4")
    dataset = read_dataset(tmp_path, selection=Selection(exclude=("masks", "*.mp4")))
    assert names(dataset, tmp_path) == ["COVID/images/1.png", "Normal/images/2.png"]
    assert dataset.warnings == ()


def test_exclude_wins_over_include(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/1.jpg")
    dataset = read_dataset(tmp_path, selection=Selection(include=("*.png",), exclude=("a/2.png",)))
    assert names(dataset, tmp_path) == ["a/1.png", "b/1.png"]


def test_a_pattern_that_matches_nothing_is_warned_of(tmp_path: Path) -> None:
    dataset = read_dataset(fill(tmp_path, "a/1.png", "b/1.png"), selection=Selection(exclude=("mask",)))
    assert dataset.warnings == ("the pattern 'mask' matches no file",)


def test_patterns_that_let_nothing_pass_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="holds no images that the patterns let pass"):
        read_dataset(fill(tmp_path, "a/1.png"), selection=Selection(include=("*.jpg",)))
    with pytest.raises(InvalidRequestError, match="exclude has an empty pattern"):
        Selection(exclude=("",))


@pytest.mark.parametrize("layout", ["manifest", "covidx", "isic2017"])
def test_patterns_apply_to_lists_before_files_are_missed(tmp_path: Path, layout: str) -> None:
    kept = "images/1.png"
    if layout == "manifest":
        (fill(tmp_path, "images/1.png") / "manifest.csv").write_text("path\nimages/1.png\ngone/2.png\n")
        selection = Selection(exclude=("gone",))
    elif layout == "covidx":
        (fill(tmp_path, "test/1.png") / "test.txt").write_text("a 1.png normal\nb 2.png normal\n")
        kept, selection = "test/1.png", Selection(exclude=("test/2.png",))
    else:
        stem = "ISIC-2017_Test_v2"
        table = fill(tmp_path, f"{stem}_Data/1.jpg") / f"{stem}_Part3_GroundTruth.csv"
        table.write_text("image_id,melanoma,seborrheic_keratosis\n1,0,0\n2,0,0\n")
        kept, selection = f"{stem}_Data/1.jpg", Selection(exclude=("2.jpg",))
    assert names(read_dataset(tmp_path, selection=selection), tmp_path) == [kept]


def test_links_to_nothing_are_unreadable_and_named(tmp_path: Path) -> None:
    fill(tmp_path, "A/1.png", "C/2.png")
    (tmp_path / "C" / "dangling.png").symlink_to("/nonexistent/1.png")
    dataset = read_dataset(tmp_path)
    assert names(dataset, tmp_path) == ["A/1.png", "C/2.png"]
    assert whys(dataset, tmp_path) == {"C/dangling.png": "is a link to nothing"}
    assert read_dataset(tmp_path, selection=Selection(exclude=("dangling*",))).unreadable == ()


def test_what_is_no_regular_file_is_unreadable_and_not_waited_for(tmp_path: Path) -> None:
    fill(tmp_path, "A/1.png")
    os.mkfifo(tmp_path / "A" / "pipe.png")
    assert whys(read_dataset(tmp_path), tmp_path) == {"A/pipe.png": "is not a regular file"}


def test_a_folder_that_may_not_be_read_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "A/1.png", "B/2.png")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if path == tmp_path / "B":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("xmirad.datasets.paths.os.scandir", refusing)
    assert whys(read_dataset(tmp_path, layout=Layout.FOLDER), tmp_path) == {"B": "cannot be read: Permission denied"}


def test_linked_folders_are_followed_as_classes_and_below_them(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "1.png", "more/2.png")
    data = fill(tmp_path / "data", "B/3.png")
    (data / "A").symlink_to(tmp_path / "elsewhere")
    (data / "B" / "linked").symlink_to(tmp_path / "elsewhere" / "more")
    dataset = read_dataset(data)
    assert names(dataset, data) == ["A/1.png", "A/more/2.png", "B/3.png", "B/linked/2.png"]
    assert (dataset.unreadable, dataset.warnings) == ((), ())
    confined = read_dataset(data, selection=Selection(follow_links=False))
    assert names(confined, data) == ["B/3.png"]
    assert set(whys(confined, data).values()) == {"is a link to a folder outside of the data set"}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, "A/1.png", "B/2.png")
    (tmp_path / "A" / "up").symlink_to(tmp_path)
    (tmp_path / "B" / "self.png").symlink_to(tmp_path / "B" / "self.png")
    dataset = read_dataset(tmp_path)
    assert names(dataset, tmp_path) == ["A/1.png", "B/2.png"]
    assert whys(dataset, tmp_path)["A/up"] == "is a link in a circle"
    assert whys(dataset, tmp_path)["B/self.png"].startswith("cannot be read")


def test_links_of_links_cannot_multiply_a_data_set(tmp_path: Path) -> None:
    for number in range(8):
        folder = fill(tmp_path, f"{number}/1.png") / str(number)
        for other in range(8):
            (folder / f"to{other}").symlink_to(tmp_path / str(other))
    dataset = read_dataset(tmp_path)
    assert 8 < len(dataset.items) < 8**4
    assert "is a link to a folder below 3 others" in set(whys(dataset, tmp_path).values())


@pytest.mark.parametrize("layout", ["manifest", "covidx"])
def test_skip_missing_counts_what_a_list_names_and_the_disk_has_not(tmp_path: Path, layout: str) -> None:
    if layout == "manifest":
        (fill(tmp_path, "a.png") / "manifest.csv").write_text("path\na.png\nb.png\nc.png\n")
        (tmp_path / "c.png").symlink_to("/nonexistent/c.png")
        expected = {
            "b.png": "manifest.csv, line 3: there is no file 'b.png'",
            "c.png": "manifest.csv, line 4: 'c.png' is a link to nothing",
        }
    else:
        (fill(tmp_path, "test/a.png") / "test.txt").write_text("1 a.png normal\n2 b.png normal\n")
        expected = {"test/b.png": "test.txt, line 2: there is no file 'b.png'"}
    dataset = read_dataset(tmp_path, selection=Selection(skip_missing=True))
    assert len(dataset.items) == 1
    assert whys(dataset, tmp_path) == expected


def test_missing_files_are_named_up_to_ten(tmp_path: Path) -> None:
    (fill(tmp_path, "a.png") / "manifest.csv").write_text("path\n" + "".join(f"{n}.png\n" for n in range(13)))
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(tmp_path)
    assert "13 files are missing: 0.png (line 2), 1.png (line 3)" in caught.value.message
    assert "9.png (line 11) and 3 more; --skip-missing goes on" in caught.value.message


def test_a_folder_of_images_beside_folders_of_classes_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "b/2.png")
    with pytest.raises(InvalidRequestError, match="is read as folders of classes") as caught:
        read_dataset(tmp_path, selection=Selection(images=tmp_path / "a"))
    assert caught.value.field == "images"
