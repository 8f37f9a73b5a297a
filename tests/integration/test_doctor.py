"""The doctor on real servers: what is in order is green, and what is broken is named with its remedy."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command import COMMAND_SECONDS, arguments, environment
from support.live_service import free_port, live_service
from support.live_stack import live_stack
from support.models import LITE0, lite0_artifact, models_dir
from support.pictures import png
from support.silence import silent_ports
from support.tokens import ASKED_FOR, create_token
from support.web import wait_for
from xmirad.access.caller import Scope
from xmirad.client.credentials import Credentials
from xmirad.client.types import Upload
from xmirad.doctor.credentials import check_credentials
from xmirad.doctor.examining import LIMIT_SECONDS
from xmirad.doctor.findings import Finding, State
from xmirad.doctor.model import check_model
from xmirad.doctor.service import check_service
from xmirad.home import Home
from xmirad.models.artifact import GRAPH_WEIGHTS
from xmirad.settings_sources import load_settings
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.programs import listens

SECRET = "planted-secret"
WHOLE_SECONDS = 5.0
SITE_KEY = b"k" * 32


@dataclass(frozen=True, slots=True)
class Told:
    """What the command printed, in how long."""

    code: int
    findings: dict[str, Finding]
    output: str
    seconds: float
    own_seconds: float

    @property
    def failed(self) -> set[str]:
        return {name for name, finding in self.findings.items() if finding.state is State.FAILED}


def doctor(home: Path, **settings: str) -> Told:
    """Run the command; where several findings have one name, the last counts."""
    begin = time.monotonic()
    done = subprocess.run(
        [*arguments(home, "doctor"), "--json"],
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    seconds = time.monotonic() - begin
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["healthy"] is (done.returncode == 0)
    findings = [Finding(**{**finding, "state": State(finding["state"])}) for finding in report["findings"]]
    named = {finding.name: finding for finding in findings}
    return Told(done.returncode, named, done.stdout + done.stderr, seconds, report["seconds"])


def assert_in_time(told: Told) -> None:
    """Check the limit of the checks, and that of the whole unless other programs keep Python from starting."""
    assert told.own_seconds < LIMIT_SECONDS + 0.5
    assert told.seconds < WHOLE_SECONDS or is_busy()


def is_busy() -> bool:
    """Return whether other programs, such as the tests beside these, take processors away."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def one(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    return found


@pytest.mark.slow
def test_a_system_in_order_is_green_and_stays_as_it_is(tmp_path: Path) -> None:
    with live_stack(tmp_path / "home") as stack:
        stack.client.create_archive("chest")
        stack.client.create_item("chest", Upload(png(1)))
        told = doctor(stack.retrieval.home, XMIRAD_SERVER__ADDRESS=stack.retrieval.address)
        assert (told.code, told.failed - {"disk (home, store, blobs)"}) == (0, set())
        for name in ("home", "store", "archive chest", "archives", "site key", "service", "credentials"):
            assert told.findings[name].state is State.OK, name
        for name in ("broker", "visibility timeout", "persistence", "memory policy", "workers", "queue"):
            assert told.findings[name].state is State.OK, name
        assert "explainer-" in told.findings["workers"].found
        assert stack.client.search("chest", png(1)).results  # the shard was left alone
        assert_in_time(told)


def test_servers_that_never_answer_are_named_within_five_seconds_and_no_secret_is_told(tmp_path: Path) -> None:
    key = tmp_path / "site.key"
    key.write_bytes(SITE_KEY)
    key.chmod(0o600)
    with silent_ports(3) as (redis, qdrant, service):
        told = doctor(
            tmp_path / "home",
            XMIRAD_SITE_KEY_FILE=str(key),
            XMIRAD_QUEUE__URL=f"redis://user:{SECRET}@127.0.0.1:{redis}/0",
            XMIRAD_STORE__KIND="qdrant",
            XMIRAD_STORE__URL=f"http://127.0.0.1:{qdrant}",
            XMIRAD_STORE__API_KEY=SECRET,
            XMIRAD_SERVER__ADDRESS=f"127.0.0.1:{service}",
        )
    assert_in_time(told)
    assert told.code == 1
    servers = {"broker", "store", "service"}
    assert all(told.findings[name].state in (State.FAILED, State.WARNING) for name in servers)
    assert servers <= told.failed or is_busy()  # a check that was still loading its libraries says so
    assert all(told.findings[name].remedy for name in servers)
    assert SECRET not in told.output
    assert not (tmp_path / "home").exists()


def test_a_wrong_setting_is_told_by_its_name_and_the_rest_skipped(tmp_path: Path) -> None:
    told = doctor(tmp_path, XMIRAD_QUEUE__URI="redis://localhost")
    assert told.failed == {"settings"}
    assert "XMIRAD_QUEUE__URI" in told.findings["settings"].found


def test_people_get_a_tick_or_a_cross_and_the_remedy(tmp_path: Path) -> None:
    done = subprocess.run(
        arguments(tmp_path, "doctor"),
        env=environment(
            XMIRAD_QUEUE__URL=f"unix://{tmp_path}/nobody.sock",
            XMIRAD_SERVER__ADDRESS=f"127.0.0.1:{free_port()}",
            PYTHONIOENCODING="utf-8",
        ),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("✓ settings") for line in lines)
    cross = next(number for number, line in enumerate(lines) if line.startswith("✗ broker"))
    assert lines[cross + 1].strip().startswith("-> start the server")


def test_a_port_that_another_program_has_is_called_taken(tmp_path: Path) -> None:
    port = free_port()
    web = subprocess.Popen(
        ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    settings = load_settings({"home": tmp_path / "home", "server": {"address": f"127.0.0.1:{port}"}})
    try:
        wait_for(lambda: listens(settings.server.address), seconds=10.0)
        found = one(check_service(settings))
    finally:
        web.kill()
        web.wait()
    assert found.state is State.FAILED
    assert f"the port of 127.0.0.1:{port} is taken" in found.found
    assert "server.address" in found.remedy


def test_a_port_where_nobody_answers_is_called_taken_too(tmp_path: Path) -> None:
    with silent_ports(1) as (port,):
        found = one(check_service(load_settings({"home": tmp_path, "server": {"address": f"127.0.0.1:{port}"}})))
    assert (found.state, f"the port of 127.0.0.1:{port} is taken" in found.found) == (State.FAILED, True)


def test_nobody_at_the_address_is_told_with_how_to_start(tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path, "server": {"address": f"127.0.0.1:{free_port()}"}})
    found = one(check_service(settings))
    assert (found.state, "xmirad up" in found.remedy) == (State.FAILED, True)


def test_a_service_that_is_not_served_is_named(tmp_path: Path) -> None:
    with (
        live_service(tmp_path / "home", XMIRAD_QUEUE__URL=f"unix://{tmp_path}/nobody.sock") as service,
        service.start(),
    ):
        settings = load_settings({"home": service.home, "server": {"address": service.address}})
        deadline = time.monotonic() + 20.0
        while set(found := {each.name: each for each in check_service(settings)}) == {"service"}:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
    assert found["service"].state is State.OK
    assert found["service ExplanationService"].state is State.FAILED
    assert "broker" in found["service ExplanationService"].remedy


def test_tokens_are_tried_at_the_service(tmp_path: Path) -> None:
    token, wrong = tmp_path / "token", tmp_path / "wrong"
    token.write_text(create_token(tmp_path / "home", name="reader", scopes=[Scope.READ], site="local"))
    wrong.write_text(SECRET)
    with live_service(tmp_path / "home", **ASKED_FOR) as service:
        service.credentials = Credentials(token_file=token)
        service.start().close()
        wait_for(lambda: find_service(Home(service.home)) is not None, seconds=20.0)
        server = {"address": service.address}

        def told(home: Path, **client: object) -> Finding:
            return one(check_credentials(load_settings({"home": home, "server": server, "client": client})))

        elsewhere = tmp_path / "other"
        files = {"right": {"token_file": token}, "wrong": {"token_file": wrong}, "none": {}}
        found = {name: told(elsewhere, **client) for name, client in files.items()}
        own = told(service.home)
    assert (found["right"].state, own.state) == (State.OK, State.OK)
    assert "does not accept the token" in found["wrong"].found
    assert "asks for a token" in found["none"].found
    assert "client.token_file" in found["none"].remedy
    assert SECRET not in str(found)


def test_a_model_that_is_altered_or_missing_is_told(tmp_path: Path) -> None:
    artifact = lite0_artifact()
    copy = tmp_path / "models" / artifact.digest
    shutil.copytree(artifact.path, copy)
    settings = load_settings({"home": tmp_path, "models_dir": copy.parent, "default_model": LITE0})
    with (copy / GRAPH_WEIGHTS).open("r+b") as file:
        file.seek(os.path.getsize(file.name) // 2)
        file.write(b"\xff\x00\xff")
    found = one(check_model(settings))
    assert (found.state, GRAPH_WEIGHTS in found.found) == (State.FAILED, True)
    assert "build" in found.remedy
    shutil.rmtree(copy)
    found = one(check_model(settings))
    assert (found.state, f"xmirad models build {LITE0}" in found.remedy) == (State.FAILED, True)


def test_the_default_model_makes_its_canonical_vector(tmp_path: Path) -> None:
    found = one(check_model(load_settings({"home": tmp_path, "models_dir": models_dir(), "default_model": LITE0})))
    assert found.state in {State.OK, State.WARNING}, found  # a warning where the machine is too busy
