"""What stands for a container when the stack runs as plain processes, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from make_secrets import make_secrets
from stack import Stack, StackError
from support.compose import compose, is_one_shot


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    make_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


def stack(tmp_path: Path, document: dict[str, Any] | None = None, **fields: Any) -> Stack:  # noqa: ANN401
    file = tmp_path / "docker-compose.yml"
    file.write_text(yaml.safe_dump(document or compose(), sort_keys=False))
    return Stack(tmp_path / "work", tmp_path / "secrets", tmp_path / "models", compose=file, **fields)


def test_every_service_of_the_default_the_demo_and_the_gpu_profile_has_its_process(
    tmp_path: Path, secrets: Path
) -> None:
    made = stack(tmp_path, profiles=("demo", "gpu"), scale={"explainer": 2})
    parts = {part.name: part for part in made._parts()}

    expected = {
        name for name, service in compose()["services"].items() if "observability" not in service.get("profiles", ())
    }
    assert {name.rpartition("-")[0] for name in parts} == expected
    assert {"explainer-1", "explainer-2"} <= set(parts)
    assert all(part.check or is_one_shot(dict(part.service)) for part in parts.values())


def test_paths_hosts_and_variables_of_a_container_are_found_on_this_machine(tmp_path: Path, secrets: Path) -> None:
    made = stack(tmp_path, network="127.7.7", variables={"EXPLAINER_PROCESSES": "1"})
    parts = {part.name: part for part in made._parts()}
    retrieval, redis = parts["retrieval-1"], parts["redis-1"]

    assert retrieval.environment["XMIRAD_SERVER__ADDRESS"] == "127.7.7.1:50051"
    assert retrieval.environment["XMIRAD_QUEUE__URL"] == f"redis://{made.addresses['redis']}:6379/0"
    assert retrieval.environment["XMIRAD_STORE__URL"] == f"http://{made.addresses['qdrant']}:6334"
    assert retrieval.environment["XMIRAD_BLOBS__URL"] == f"file://{tmp_path / 'work/volumes/blobs'}"
    catalog = f"sqlite:///{tmp_path / 'work/volumes/catalog'}/catalog.db"
    assert [parts[name].environment["XMIRAD_CATALOG__URL"] for name in ("retrieval-1", "indexer-1")] == [catalog] * 2
    assert retrieval.environment["XMIRAD_SITE_KEY_FILE"] == str(secrets / "site_key")
    assert retrieval.environment["XMIRAD_TRACING__ENDPOINT"] == ""
    assert parts["explainer-1"].environment["XMIRAD_EXPLANATIONS__PROCESSES"] == "1"
    assert f"requirepass $(cat {secrets / 'redis_password'})" in redis.command[-1]
    assert f"bind {made.addresses['redis']}" in redis.command[-1]
    assert f"redis-cli -h {made.addresses['redis']} ping" in redis.check[-1]
    assert str(tmp_path / "work/volumes/imports") in parts["indexer-1"].environment["XMIRAD_IMPORTS__FOLDERS"]


def test_two_replicas_share_neither_address_nor_home(tmp_path: Path, secrets: Path) -> None:
    parts = stack(tmp_path, scale={"explainer": 2})._parts()
    one, other = (part.environment for part in parts if part.name.startswith("explainer"))

    assert one["XMIRAD_METRICS__HOST"] != other["XMIRAD_METRICS__HOST"]
    assert one["XMIRAD_HOME"] != other["XMIRAD_HOME"]
    assert one["XMIRAD_BLOBS__URL"] == other["XMIRAD_BLOBS__URL"]


def test_a_service_without_a_program_here_is_refused(tmp_path: Path, secrets: Path) -> None:
    with pytest.raises(StackError, match="no runnable mapping: no process can stand for otel/"):
        stack(tmp_path, profiles=("observability",))._parts()


def test_a_service_without_a_health_check_is_refused(tmp_path: Path, secrets: Path) -> None:
    document = compose()
    del document["services"]["indexer"]["healthcheck"]
    with pytest.raises(StackError, match="indexer has no health check"):
        stack(tmp_path, document)._parts()


def test_a_service_that_ends_takes_the_stack_down(tmp_path: Path, secrets: Path) -> None:
    image = {"image": "xmirad/made-up:1", "healthcheck": {"test": ["CMD", "true"], "timeout": "5s"}}
    services = {
        "lives": image | {"command": ["sleep", "60"], "stop_grace_period": "2s"},
        "dies": image
        | {"command": ["sh", "-c", "exit 3"], "depends_on": ["lives"]}
        | {"healthcheck": {"test": ["CMD", "false"], "timeout": "5s"}},
    }
    made = stack(tmp_path, {"services": services, "secrets": {}})
    with pytest.raises(StackError, match="dies-1 has ended with 3"):
        made.start(seconds=10)
    assert all(part.process is not None and part.process.poll() is not None for part in made.parts)


def test_a_service_that_ends_while_somebody_else_answers_its_check_is_not_healthy(
    tmp_path: Path, secrets: Path
) -> None:
    dies = {
        "image": "xmirad/made-up:1",
        "command": ["sh", "-c", "sleep 0.2; exit 3"],
        "healthcheck": {"test": ["CMD", "sleep", "0.6"], "timeout": "5s"},
    }
    made = stack(tmp_path, {"services": {"dies": dies}, "secrets": {}})
    with pytest.raises(StackError, match="dies-1 has ended with 3"):
        made.start(seconds=10)


def test_no_secret_stands_in_a_command_line(tmp_path: Path, secrets: Path) -> None:
    values = [(secrets / name).read_text().strip() for name in ("redis_password", "qdrant_api_key")]
    parts = {part.name: part.command for part in stack(tmp_path)._parts()}
    assert parts["qdrant-1"][-2:] == ["--api-key-file", str(secrets / "qdrant_api_key")]
    assert not [name for name, command in parts.items() if any(value in " ".join(command) for value in values)]


def test_secrets_are_made_once_and_closed_to_other_users(tmp_path: Path, secrets: Path) -> None:
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}

    assert make_secrets(secrets) == []
    assert {file.name: file.read_bytes() for file in secrets.iterdir()} == before
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o444}
    named = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert named == set(before)
