from dataclasses import replace
from pathlib import Path

import pytest

from support.fake_client import MAX_IMAGE_BYTES, FakeClient
from xmirad.cli.tally import Tally
from xmirad.cli.uploading import ROUNDS, Uploader
from xmirad.datasets.dataset import DatasetItem
from xmirad.errors import BackendUnavailableError, OverloadedError
from xmirad.types import ItemAttributes


@pytest.fixture
def client() -> FakeClient:
    client = FakeClient()
    client.create_archive("wards")
    return client


@pytest.fixture
def items(tmp_path: Path) -> list[DatasetItem]:
    return [_item(tmp_path, f"image {number}".encode(), name=str(number)) for number in range(5)]


def _item(folder: Path, data: bytes, *, name: str, external_id: str | None = None) -> DatasetItem:
    path = folder / f"{name}.png"
    path.write_bytes(data)
    return DatasetItem(path, name if external_id is None else external_id, ItemAttributes(labels=("normal",)))


def _run(client: FakeClient, items: list[DatasetItem], *, resume: bool = True) -> Tally:
    tally = Tally(items)
    Uploader(client, "wards", tally=tally, on_progress=lambda _: None, resume=resume).run()
    return tally


def test_every_image_is_sent_to_an_empty_archive(client: FakeClient, items: list[DatasetItem]) -> None:
    tally = _run(client, items, resume=False)
    assert (tally.created, tally.skipped, tally.done) == (5, 0, 5)
    assert client.asked == []


def test_images_that_are_there_are_not_sent_again(client: FakeClient, items: list[DatasetItem]) -> None:
    _run(client, items[:3])
    client.sent.clear()
    tally = _run(client, items)
    assert client.sent == ["3", "4"]
    assert (tally.created, tally.skipped) == (2, 3)


def test_images_without_an_external_id_are_recognized_by_their_content(client: FakeClient, tmp_path: Path) -> None:
    items = [_item(tmp_path, b"one", name="a", external_id=""), _item(tmp_path, b"two", name="b", external_id="")]
    _run(client, items)
    client.sent.clear()
    assert _run(client, items).skipped == 2
    assert client.sent == []


def test_changed_content_and_changed_attributes_are_sent(client: FakeClient, items: list[DatasetItem]) -> None:
    _run(client, items)
    client.sent.clear()
    items[0].path.write_bytes(b"other")
    items[1] = replace(items[1], attributes=ItemAttributes(labels=("pneumonia",)))
    tally = _run(client, items)
    assert client.sent == ["0", "1"]
    assert tally.updated == 1


def test_dicom_files_are_always_sent_because_their_id_depends_on_the_site_key(
    client: FakeClient, tmp_path: Path
) -> None:
    items = [_item(tmp_path, bytes(128) + b"DICM", name="scan")]
    client.max_image_bytes = 1000
    _run(client, items)
    assert _run(client, items).unchanged == 1
    assert client.asked == []


def test_a_failing_image_is_named_with_its_reason_and_the_others_are_stored(
    client: FakeClient, items: list[DatasetItem], tmp_path: Path
) -> None:
    items[1].path.write_bytes(b"broken")
    items[2].path.write_bytes(b"x" * (MAX_IMAGE_BYTES + 1))
    items[3].path.unlink()
    tally = _run(client, items)
    assert tally.created == 2
    found = {Path(failure.path).name: failure.reason for failure in tally.failures}
    assert found == {"1.png": "IMAGE_UNDECODABLE", "2.png": "IMAGE_TOO_LARGE", "3.png": "IMAGE_UNDECODABLE"}
    assert not any(str(tmp_path) in failure.message for failure in tally.failures)


def test_a_broken_stream_is_taken_up_where_it_broke(client: FakeClient, items: list[DatasetItem]) -> None:
    _run(client, items[:2])
    client.sent.clear()
    client.errors = [BackendUnavailableError("gone"), OverloadedError("busy")]
    tally = _run(client, items)
    assert client.waits == 2
    assert sorted(client.sent) == ["2", "3", "4"]
    assert (tally.done, tally.failures) == (5, [])


def test_a_service_that_stays_away_ends_the_run(client: FakeClient, items: list[DatasetItem]) -> None:
    client.errors = [BackendUnavailableError("gone") for _ in range(ROUNDS)]
    with pytest.raises(BackendUnavailableError):
        _run(client, items)


def test_pages_are_asked_for_not_single_items(
    client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmirad.cli.uploading.PAGE", 2)
    items = [_item(tmp_path, bytes([number]), name=str(number)) for number in range(5)]
    _run(client, items)
    assert client.asked == [2, 2, 1]


def test_identical_files_are_reported_whether_sent_or_skipped(client: FakeClient, tmp_path: Path) -> None:
    items = [
        _item(tmp_path, b"same", name="a"),
        _item(tmp_path, b"other", name="b"),
        _item(tmp_path, b"same", name="c"),
    ]
    for _ in range(2):
        (line,) = _run(client, items).indexed().duplicates
        assert "a.png" in line
        assert "c.png" in line
