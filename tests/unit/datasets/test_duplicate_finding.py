from pathlib import Path

from xmirad.datasets import DatasetItem
from xmirad.datasets.duplicates import duplicates
from xmirad.types import ItemAttributes


def item(folder: Path, name: str, content: str, *, split: str = "", label: str = "x") -> DatasetItem:
    (folder / name).write_text(content)
    return DatasetItem(folder / name, "", ItemAttributes(labels=(label,), split=split))


def test_identical_files_are_grouped_and_copies_across_splits_named(tmp_path: Path) -> None:
    items = [
        item(tmp_path, "a", "one", split="test"),
        item(tmp_path, "b", "two", split="test"),
        item(tmp_path, "c", "one", split="train"),
        item(tmp_path, "d", "two", split="test"),
        item(tmp_path, "e", "three", split="test"),
    ]
    report = duplicates(items)
    assert [[each.path.name for each in group.items] for group in report.groups] == [["a", "c"], ["b", "d"]]
    assert report.across_splits == report.groups[:1]
    assert report.item_count == 5
    assert report.lines() == ["2 identical files ACROSS SPLITS: test/a, train/c", "2 identical files: test/b, test/d"]


def test_copies_with_different_labels_are_named(tmp_path: Path) -> None:
    report = duplicates([item(tmp_path, "a", "same", label="x"), item(tmp_path, "b", "same", label="y")])
    assert report.conflicting == report.groups
    assert report.lines() == ["2 identical files with different labels: a, b"]


def test_nothing_twice_makes_an_empty_report(tmp_path: Path) -> None:
    report = duplicates([item(tmp_path, "a", "1"), item(tmp_path, "b", "2")])
    assert report.lines() == []
