"""`xmirad index` as a process: a thousand files with bad ones among them, and a run that is killed."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from support.bad_images import BAD_IMAGES
from support.command import arguments, environment, run_json
from support.dicom_files import dicom_file
from support.live_service import live_service
from support.pictures import png
from xmirad.errors import InvalidRequestError

GOOD, BAD, LEAST_KINDS = 970, 30, 10
ARCHIVE = "thousand"


def write_good(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"good-{number:04d}.png").write_bytes(png(number).data)


@pytest.mark.slow
def test_a_thousand_files_with_thirty_bad_ones_store_970_and_list_30(tmp_path: Path) -> None:
    write_good(tmp_path / "data" / "good", GOOD)
    # What is wrong must lie in the bytes: a file says nothing of its media type, and equal files are one item.
    wrong = {bad.image.data: name for name, bad in BAD_IMAGES.items() if bad.error is not InvalidRequestError}
    kinds = sorted(wrong.values())
    names = [kinds[at * len(kinds) // BAD] for at in range(BAD)]
    bad_folder = tmp_path / "data" / "bad"
    bad_folder.mkdir()
    for name in names:
        (bad_folder / f"{name.replace(' ', '-')}.bin").write_bytes(BAD_IMAGES[name].image.data)
    result = run_json(tmp_path / "home", "index", str(tmp_path / "data"), "--archive", ARCHIVE, expected_code=5)
    assert (result["items"], result["created"], result["failed"]) == (GOOD + BAD, GOOD, BAD)
    listed = {Path(failure["path"]).name for failure in result["failures"]}
    assert listed == {path.name for path in bad_folder.iterdir()}
    assert all(failure["reason"] and failure["message"] for failure in result["failures"])
    assert len({failure["message"] for failure in result["failures"]}) >= LEAST_KINDS
    assert run_json(tmp_path / "home", "archive", "verify", ARCHIVE)["clean"]


@pytest.mark.parametrize("acknowledged", [1, 40])
def test_a_killed_run_is_made_whole_by_the_next_one(tmp_path: Path, acknowledged: int) -> None:
    count = 120
    write_good(tmp_path / "data" / "good", count)
    words = ("index", str(tmp_path / "data"), "--archive", ARCHIVE)
    with live_service(tmp_path / "home") as service, service.start() as client:
        client.create_archive(ARCHIVE)
        command = subprocess.Popen(
            arguments(tmp_path / "home", *words), env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while client.get_archive(ARCHIVE).item_count < acknowledged:
            assert command.poll() is None, "the command ended before it could be killed"
            time.sleep(0.01)
        command.send_signal(signal.SIGKILL)
        command.wait()
        before = client.get_archive(ARCHIVE).item_count
        result = run_json(tmp_path / "home", *words)
        assert result["failed"] == 0
        assert result["created"] < count
        assert client.get_archive(ARCHIVE).item_count == count > before
        assert service.stop() == 0
    assert run_json(tmp_path / "home", "archive", "verify", ARCHIVE)["clean"]


def test_two_frames_of_one_dicom_instance_are_two_items(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    frames = np.stack([np.full((32, 32), 10, np.uint16), np.arange(1024, dtype=np.uint16).reshape(32, 32)])
    (data / "cine.dcm").write_bytes(dicom_file(frames, multi_frame=True))
    (data / "manifest.csv").write_text("path,frame\ncine.dcm,1\ncine.dcm,2\n")
    words = ("index", str(data), "--archive", "cine")
    assert run_json(tmp_path / "home", *words)["created"] == 2
    assert run_json(tmp_path / "home", *words)["unchanged"] == 2
    assert run_json(tmp_path / "home", "archive", "verify", "cine")["clean"]
    (data / "manifest.csv").unlink()
    assert run_json(tmp_path / "home", *words)["unchanged"] == 2  # without a manifest all frames are read
