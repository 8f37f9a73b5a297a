"""docker-compose.yml and the Dockerfile: what older programs read, what is closed, and what belongs together."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.compose import DOCKERFILE, FILE, PROFILES, compose, image_instructions, is_one_shot, services
from support.project import ROOT
from xmirad.settings_sources import known_variables

SCHEMA = Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")
SYSTEM_PYTHON = "/usr/bin/python3"
NEWER_KEYS = ("start_interval", "develop:", "include:", "required: ", "pull_policy", "attach:", "provider:", "\nname:")
"""Keys that docker-compose 1.29 does not know or ignores."""


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_docker_compose_accepts_the_file_with_every_profile(profile: str) -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed: apt-get install docker-compose")
    chosen = ["--profile", profile] if profile else []
    run = subprocess.run(
        [program, "--file", str(FILE), "--env-file", str(ROOT / ".env.example"), *chosen, "config", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_file_follows_the_schema_of_compose_files() -> None:
    if not SCHEMA.exists():
        pytest.skip("the schema comes with docker-compose: apt-get install docker-compose")
    program = (
        "import json, sys, jsonschema, yaml; "
        "jsonschema.validate(yaml.safe_load(open(sys.argv[2])), json.load(open(sys.argv[1])))"
    )
    subprocess.run([SYSTEM_PYTHON, "-c", program, str(SCHEMA), str(FILE)], check=True)


def test_no_key_is_used_that_docker_compose_1_29_does_not_know() -> None:
    text = FILE.read_text()
    assert [key for key in NEWER_KEYS if key in text] == []


def test_hadolint_has_nothing_to_say_about_the_dockerfile() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("name", services())
def test_a_service_is_closed_where_it_can_be(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    address = "${PUBLISH_ADDRESS:-127.0.0.1}:" if name == "retrieval" else "127.0.0.1:"
    assert all(port.startswith(address) for port in service.get("ports", ()))
    assert re.fullmatch(r"\$\{[A-Z]+_MEM_LIMIT:-\d+[mg]\}", service["mem_limit"])
    version = service["image"].partition(":")[2]
    assert version == "${XMIRAD_VERSION:-0.1.0}" or re.match(r"v?\d+\.\d+\.\d+", version)


@pytest.mark.parametrize("name", [name for name, service in services().items() if not is_one_shot(service)])
def test_a_service_that_runs_on_has_a_health_check_and_time_to_end(name: str) -> None:
    service = services()[name]

    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert re.fullmatch(r"\d+s", service["stop_grace_period"]) or name == "explainer"
    assert service["restart"] == "unless-stopped"


def test_the_stores_are_reached_from_inside_only() -> None:
    for name in ("redis", "qdrant"):
        assert "ports" not in services()[name]
        assert services()[name]["networks"] == ["inside"]
    assert compose()["networks"]["inside"]["internal"] is True


def test_the_demo_needs_nothing_of_the_folder_of_imports() -> None:
    for name in ("phantoms", "demo"):
        assert not [volume for volume in services()[name]["volumes"] if "imports" in volume]
    assert "phantoms:/data/phantoms:ro" in services()["indexer"]["volumes"]
    folders = json.loads(services()["indexer"]["environment"]["XMIRAD_IMPORTS__FOLDERS"])
    assert folders == {"imports": "/data/imports", "phantoms": "/data/phantoms"}
    assert "/data/phantoms" in DOCKERFILE.read_text()  # a new volume takes its owner from there


def test_prometheus_scrapes_every_service_with_a_page_of_ours() -> None:
    document = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    scraped = {
        name for job in document["scrape_configs"] for config in job["dns_sd_configs"] for name in config["names"]
    }
    assert scraped == {
        name for name, service in services().items() if "XMIRAD_METRICS__PORT" in service.get("environment", {})
    }


def test_whoever_keeps_the_catalog_knows_where_it_is() -> None:
    keepers = {name for name, service in services().items() if "catalog:/data/catalog" in service.get("volumes", ())}
    assert keepers == {"retrieval", "indexer", "explainer", "explainer-gpu"}
    for name in keepers:
        assert services()[name]["environment"]["XMIRAD_CATALOG__URL"] == "sqlite:////data/catalog/catalog.db"


def test_redis_keeps_a_log_evicts_nothing_and_asks_for_a_password() -> None:
    command = services()["redis"]["command"][-1]
    assert "appendonly yes" in command
    assert "maxmemory-policy noeviction" in command
    assert "requirepass $$(cat /run/secrets/redis_password)" in command


def test_no_secret_stands_in_the_file() -> None:
    assert all(list(secret) == ["file"] for secret in compose()["secrets"].values())
    text = FILE.read_text()
    assert not re.search(r"(?i)(password|api_key|token):\s*[\"']?[a-z0-9]{6,}\s*$", text, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name, service in services().items() if "build" in service])
def test_an_image_started_alone_does_what_the_service_does(name: str) -> None:
    service = services()[name]
    built = image_instructions(service["build"]["target"])

    command = " ".join(service["command"])
    assert command.endswith(" ".join(built["command"]))
    if not is_one_shot(service):
        assert ["CMD", *built["health"]] == service["healthcheck"]["test"]


@pytest.mark.parametrize("name", services())
def test_every_variable_of_ours_is_a_setting(name: str) -> None:
    given = {key for key in services()[name].get("environment", {}) if key.startswith("XMIRAD_")}
    assert given <= known_variables()


def test_every_variable_of_the_file_is_explained_in_the_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text())) - {"XMIRAD_VERSION"}
    assert used == set(re.findall(r"(?m)^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text()))
