import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from support.fake_explaining_client import DONE, NAME, QUEUED, RUNNING, FakeExplainingClient
from xmirad.cli.main import app

OTHER = "explanations/" + "ef" * 8 + "00" * 24
ELSEWHERE = "explanations/" + "ab" * 32
ITEM = "0a1b2c3d-0000-4000-8000-000000000000"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeExplainingClient:
    client = FakeExplainingClient()
    for command in ("explain", "explanations"):
        monkeypatch.setattr(f"xmirad.cli.commands.{command}.connected", client.connected)
    client.add_item("chest", ITEM)
    skin = "archives/skin/items/b"
    client.stored = [replace(RUNNING, name=ELSEWHERE, item=skin), replace(DONE, name=OTHER), QUEUED]
    return client


def run(*args: str) -> Result:
    return CliRunner().invoke(app, args)


def cancelled(client: FakeExplainingClient) -> list[object]:
    return [call["name"] for name, call in client.calls if name == "cancel_explanation"]


def test_explanations_are_listed_with_their_states(client: FakeExplainingClient) -> None:
    lines = run("explanations", "list").stdout.splitlines()
    assert lines[1].split()[:5] == ["abababababababab", "running", "4/9", "result", "skin/b"]
    assert [line.split()[1] for line in lines[1:]] == ["running", "succeeded", "queued"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--archive", "chest"], [OTHER, NAME]),
        (["--state", "queued", "--state", "running"], [ELSEWHERE, NAME]),
        (["--limit", "1"], [ELSEWHERE]),
    ],
)
def test_a_list_is_narrowed_down(client: FakeExplainingClient, options: list[str], expected: list[str]) -> None:
    result = run("explanations", "list", "--json", *options)
    assert [each["name"] for each in json.loads(result.stdout)] == expected
    assert ("there are more than 1" in result.stderr) == ("--limit" in options)


@pytest.mark.parametrize("named", [ELSEWHERE, "ab" * 32, "abababab", "explanations/abababab"])
def test_one_is_cancelled_by_its_name_or_the_beginning_of_its_id(client: FakeExplainingClient, named: str) -> None:
    result = run("explanations", "cancel", named)
    assert (result.exit_code, cancelled(client)) == (0, [ELSEWHERE])
    assert result.stdout == "abababababababab: cancelled\n"


def test_all_that_are_not_done_are_cancelled(client: FakeExplainingClient) -> None:
    assert run("explanations", "cancel", "--all").stdout.splitlines()[-1] == "2 cancelled"
    assert cancelled(client) == [ELSEWHERE, NAME]
    client.calls.clear()
    run("explanations", "cancel", "--all", "--archive", "chest")
    assert cancelled(client) == [NAME]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ([], 2, "give --all"),
        (["--all", NAME], 2, "give --all"),
        (["ef"], 2, "too short"),
        (["efefefef"], 2, "2 explanations begin with"),
        (["0123456789"], 1, "there is no explanation '0123456789'"),
    ],
)
def test_what_names_no_single_explanation_is_refused(
    client: FakeExplainingClient, args: list[str], code: int, said: str
) -> None:
    result = run("explanations", "cancel", *args)
    assert (result.exit_code, said in result.stderr, cancelled(client)) == (code, True, [])


@pytest.fixture
def query(tmp_path: Path) -> str:
    (tmp_path / "query.png").write_bytes(b"an image")
    return str(tmp_path / "query.png")


def test_an_interrupted_explain_says_that_the_work_goes_on_and_how_to_stop_it(
    client: FakeExplainingClient, query: str
) -> None:
    client.interrupts_at = 1
    result = run("explain", query, ITEM, "--archive", "chest")
    assert result.exit_code == 130
    assert f"the work goes on: {NAME} stays in the queue" in result.stderr
    assert f"xmirad explanations cancel {'ef' * 8}" in result.stderr
    assert cancelled(client) == []


def test_an_interrupted_explain_stops_the_work_where_it_was_told_to(client: FakeExplainingClient, query: str) -> None:
    client.interrupts_at = 0
    result = run("explain", query, ITEM, "--archive", "chest", "--cancel-on-interrupt")
    assert result.exit_code == 130
    assert f"{NAME} is cancelled" in result.stderr
    assert cancelled(client) == [NAME]
