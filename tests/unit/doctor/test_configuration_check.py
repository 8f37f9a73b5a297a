import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xmirad.doctor.configuration import check_configuration
from xmirad.doctor.findings import Finding, State
from xmirad.home import Home
from xmirad.settings_sources import load_settings


def examined(home: Path, **settings: object) -> dict[str, Finding]:
    """Return the worst finding of each name."""
    ranks = [State.OK, State.SKIPPED, State.WARNING, State.FAILED]
    found = check_configuration(load_settings({"home": home, **settings}))
    return {finding.name: finding for finding in sorted(found, key=lambda finding: ranks.index(finding.state))}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Home(tmp_path / "home").prepare()
    return tmp_path / "home"


def secret(folder: Path, content: bytes = b"planted-secret", *, mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_a_home_that_was_prepared_is_in_order(home: Path) -> None:
    found = examined(home)
    assert {finding.state for finding in found.values()} == {State.OK}


def test_a_home_that_is_not_there_is_in_order_and_stays_so(tmp_path: Path) -> None:
    assert examined(tmp_path / "none")["home"].state is State.OK
    assert not (tmp_path / "none").exists()


def test_a_home_that_others_may_enter_is_named_with_its_remedy(home: Path) -> None:
    home.chmod(0o755)
    found = examined(home)["home"]
    assert found.state is State.FAILED
    assert found.remedy == f"chmod 700 {home}"


def test_a_home_without_data_that_others_may_enter_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir(mode=0o755)
    (tmp_path / "bare").chmod(0o755)
    assert examined(tmp_path / "bare")["home"].state is State.WARNING


def test_a_file_in_place_of_the_home_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    assert examined(tmp_path / "file")["home"].state is State.FAILED


def test_a_missing_secret_is_told_by_its_setting(home: Path, tmp_path: Path) -> None:
    found = examined(home, queue={"password_file": tmp_path / "lost"})["files"]
    assert found.state is State.FAILED
    assert f"queue.password_file: {tmp_path}/lost cannot be read" in found.found
    assert "queue.password_file" in found.remedy


def test_an_empty_secret_is_told(home: Path, tmp_path: Path) -> None:
    found = examined(home, store={"api_key_file": secret(tmp_path, b"")})["files"]
    assert (found.state, "is empty" in found.found) == (State.FAILED, True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_secret_that_others_can_read_is_told_without_showing_it(home: Path, open_folder: Path) -> None:
    file = secret(open_folder, mode=0o644)
    found = examined(home, store={"api_key_file": file})["files"]
    assert (found.state, found.remedy) == (State.WARNING, f"chmod 600 {file}")
    assert "planted-secret" not in str(found)


def test_a_secret_in_a_folder_that_others_cannot_enter_is_safe(home: Path, open_folder: Path) -> None:
    file = secret(open_folder, mode=0o644)
    open_folder.chmod(0o700)
    assert examined(home, store={"api_key_file": file})["files"].state is State.OK


def test_a_certificate_may_be_read_by_everyone(home: Path, open_folder: Path) -> None:
    found = examined(home, client={"ca_file": secret(open_folder, mode=0o644)})["files"]
    assert found.state is State.OK


def test_a_door_that_stands_open_to_the_network_is_told(home: Path) -> None:
    found = examined(home, server={"address": "0.0.0.0:50051"})["door"]
    assert found.state is State.FAILED
    assert "no tokens are asked for" in found.found


def test_the_address_of_a_service_elsewhere_is_no_door_of_ours(home: Path) -> None:
    assert "door" not in examined(home, server={"address": "retrieval.example:50051"})
