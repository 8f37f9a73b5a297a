import hashlib
import os
from pathlib import Path

import pytest

from xmirad.errors import PayloadTooLargeError
from xmirad.regular_files import NotRegularFileError, file_digest, read_regular_file


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(b"12345")
    assert read_regular_file(file, max_bytes=5) == b"12345"
    with pytest.raises(PayloadTooLargeError, match="the file has 5 bytes; the service accepts 4") as caught:
        read_regular_file(file, max_bytes=4)
    assert caught.value.metadata == {"bytes": "5", "limit": "4"}


def test_a_file_of_gigabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    movie = tmp_path / "movie.mp4"
    movie.touch()
    os.truncate(movie, 3 << 30)
    with pytest.raises(PayloadTooLargeError, match="the file has 3221225472 bytes; the service accepts 62914560"):
        read_regular_file(movie, max_bytes=62914560)


def test_a_file_that_hides_its_size_is_read_no_further_than_the_limit() -> None:
    assert os.stat("/proc/self/status").st_size == 0
    with pytest.raises(PayloadTooLargeError, match="the service accepts 10"):
        read_regular_file(Path("/proc/self/status"), max_bytes=10)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("read", [lambda path: read_regular_file(path, max_bytes=10), file_digest])
def test_what_is_not_a_regular_file_is_named_at_once(tmp_path: Path, read: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    kinds = {"pipe": "named pipe", "link": "character device", ".": "directory"}
    for name, kind in kinds.items():
        with pytest.raises(NotRegularFileError) as caught:
            read(tmp_path / name)  # type: ignore[operator] # one of the two above
        assert caught.value.strerror == f"not a regular file but a {kind}"


def test_a_link_that_leads_nowhere_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "link", max_bytes=1)


def test_a_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert file_digest(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()
