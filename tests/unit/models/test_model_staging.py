import threading
from pathlib import Path

import pytest

from xmirad.models.staging import one_build_at_a_time, publish, staged_folder


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build() -> None:
        with staged_folder(tmp_path) as folder:
            (folder / "half").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        build()

    assert list(tmp_path.iterdir()) == []


def test_a_published_folder_stays(tmp_path: Path) -> None:
    with staged_folder(tmp_path) as folder:
        (folder / "file").write_text("whole")
        publish(folder, tmp_path / "model")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "file").read_text() == "whole"


def test_publishing_replaces_what_has_the_name(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "broken").write_text("broken")

    with staged_folder(tmp_path) as folder:
        (folder / "file").write_text("whole")
        publish(folder, tmp_path / "model")

    assert [path.name for path in (tmp_path / "model").iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".building-old").mkdir()
    (tmp_path / ".building-old" / "half").write_text("half")

    with one_build_at_a_time(tmp_path):
        assert not (tmp_path / ".building-old").exists()


def test_builds_in_one_folder_wait_for_each_other(tmp_path: Path) -> None:
    entered = threading.Event()

    def build() -> None:
        with one_build_at_a_time(tmp_path):
            entered.set()

    other = threading.Thread(target=build)
    with one_build_at_a_time(tmp_path):
        other.start()
        assert not entered.wait(0.1)
    assert entered.wait(5)
    other.join()
