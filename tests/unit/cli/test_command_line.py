import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from support.fake_client import FakeClient
from xmirad import __version__
from xmirad.cli.failures import global_flags_first
from xmirad.cli.main import app
from xmirad.errors import BackendUnavailableError, InternalError, InvalidRequestError, QueueFullError, XmiradError
from xmirad.types import IntRange, ItemFilter, PatientPolicy


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()
    for command in ("archive", "index", "search"):
        monkeypatch.setattr(f"xmirad.cli.commands.{command}.connected", client.connected)
    return client


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for label in ("normal", "pneumonia"):
        (folder / label).mkdir(parents=True)
        (folder / label / f"{label}.png").write_bytes(label.encode())
    return folder


def _run(*args: str) -> Result:
    return CliRunner().invoke(app, args)


def _json(result: Result) -> Any:  # noqa: ANN401 - whatever a command prints
    return json.loads(result.stdout)


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    heavy = ["numpy.linalg.linalg", "grpc", "pydantic", "openvino", "torch", "qdrant_edge", "rich.progress", "PIL"]
    heavy += ["importlib.metadata", "xmirad.evidence", "jinja2"]
    code = f"import sys; from xmirad.cli.main import app; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command", [[], ["up"], ["serve"], ["index"], ["search"], ["models", "build"], ["archive", "purge"]]
)
def test_every_help_has_examples_or_exit_codes_and_no_terminal_codes(command: list[str]) -> None:
    result = _run(*command, "--help")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "Usage:" in result.stdout


def test_the_version_is_printed_without_a_command() -> None:
    result = _run("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, __version__)


def test_the_exit_codes_are_documented() -> None:
    assert "4  the result is below the gate" in _run("--help").stdout


@pytest.mark.parametrize(
    "args",
    [["index"], ["index", "x"], ["serch"], ["index", "x", "-a", "b", "--layout", "zip"], ["archive", "list", "-x"]],
)
def test_wrong_usage_exits_with_2(args: list[str]) -> None:
    assert _run(*args).exit_code == 2


def test_global_flags_may_stand_anywhere() -> None:
    assert global_flags_first(["search", "q", "--home", "/x", "--debug", "-k", "3"]) == [
        *["--home", "/x", "--debug"],
        *["search", "q", "-k", "3"],
    ]
    assert global_flags_first(["index", "--address=h:1", "--", "--home"]) == ["--address=h:1", "index", "--", "--home"]


def test_config_show_tells_value_and_source_and_masks_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XMIRAD_STORE__API_KEY", "open-sesame")
    text = _run("config", "show", "--home", str(tmp_path / "other"))
    found = _run("config", "show", "--home", str(tmp_path / "other"), "--json")
    assert "open-sesame" not in text.output + found.output
    entries = {entry["name"]: entry for entry in _json(found)}
    assert entries["home"]["value"] == str(tmp_path / "other")
    assert entries["home"]["source"] == "flag"
    assert entries["store.api_key"]["source"] == "environment"


def test_a_mistake_in_the_settings_is_one_line_and_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_SERVR", "x")
    result = _run("config", "show")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "XMIRAD_SERVR" in result.stderr


def test_index_stores_and_reports(client: FakeClient, data: Path) -> None:
    result = _run("index", str(data), "--archive", "wards", "--originals", "reference", "--json")
    assert result.exit_code == 0
    report = _json(result)
    assert (report["items"], report["created"], report["failed"], report["failures"]) == (2, 2, 0, [])
    assert client.calls[0][1]["originals"] == "reference"
    assert "Indexing data: 2/2" in result.stderr
    again = _json(_run("index", str(data), "--archive", "wards", "--json"))
    assert (again["created"], again["skipped"]) == (0, 2)
    resent = _json(_run("index", str(data), "--archive", "wards", "--resend", "--json"))
    assert (resent["unchanged"], resent["skipped"]) == (2, 0)


def test_index_lists_every_failure_and_exits_with_5(client: FakeClient, data: Path) -> None:
    (data / "normal" / "bad\x1b[31m.png").write_bytes(b"broken")
    result = _run("index", str(data), "--archive", "wards")
    assert result.exit_code == 5
    assert "2 of 3 images (2 created)" in result.stdout
    assert "bad\\x1b[31m.png: the file is no image [IMAGE_UNDECODABLE]" in result.stdout
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("error", "code"), [(InvalidRequestError("too many", field="max_items"), 2), (QueueFullError("full"), 1)]
)
def test_index_reports_what_it_stored_though_nothing_is_computed_ahead(
    client: FakeClient, data: Path, monkeypatch: pytest.MonkeyPatch, error: XmiradError, code: int
) -> None:
    def warm(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(client, "warm", warm, raising=False)
    result = _run("index", str(data), "--archive", "wards", "--warm", "--json")
    report = _json(result)
    assert (result.exit_code, report["created"]) == (code, 2)
    assert report["warming_error"] == {"reason": error.reason, "message": error.message}
    again = _run("index", str(data), "--archive", "wards", "--warm")
    assert "2 of 2 images (2 skipped)" in again.stdout
    assert f"nothing is computed ahead: {error.message} [{error.reason}]" in again.stderr


def test_index_of_nothing_is_usage(client: FakeClient, tmp_path: Path) -> None:
    result = _run("index", str(tmp_path / "absent"), "--archive", "wards", "--json")
    assert result.exit_code == 2
    assert _json(result)["error"]["field"] == "path"


def test_search_sends_what_was_asked(client: FakeClient, data: Path) -> None:
    _run("index", str(data), "--archive", "wards")
    query = str(data / "normal" / "normal.png")
    options = "-k 3 --filter-label normal --filter-label x --filter-years 2015- --patient p1 --patient-policy exclude"
    result = _run("search", query, "--archive", "wards", *options.split(), "--exact", "--json")
    assert result.exit_code == 0
    assert [found["rank"] for found in _json(result)["results"]] == [1, 2]
    _, sent = client.calls[-1]
    assert sent["source"].data == b"normal"
    assert sent["filter"] == ItemFilter(labels=("normal", "x"), years=IntRange(2015, None))
    assert (sent["top_k"], sent["exact"], sent["patient"].patient_id) == (3, True, "p1")
    assert sent["patient_policy"] is PatientPolicy.EXCLUDE


def test_search_sends_feedback_on_items_named_in_full_or_by_id(client: FakeClient, data: Path) -> None:
    _run("index", str(data), "--archive", "wards")
    query, (liked, disliked) = str(data / "normal" / "normal.png"), list(client.archives["wards"])[:2]
    words = ["--more-like", liked, "--less-like", disliked.rpartition("/")[2], "--no-evidence"]
    assert _run("search", query, "--archive", "wards", *words).exit_code == 0
    source = client.calls[-1][1]["source"]
    assert (source.source.data, source.positive_items, source.negative_items) == (b"normal", (liked,), (disliked,))
    assert client.calls[-1][1]["evidence"] is False
    refused = _run("search", query, "--archive", "wards", "--more-like", "1", "--json")
    assert (refused.exit_code, _json(refused)["error"]["field"]) == (2, "more_like")


def test_search_prints_a_table(client: FakeClient, data: Path) -> None:
    _run("index", str(data), "--archive", "wards")
    lines = _run("search", str(data / "normal" / "normal.png"), "--archive", "wards").stdout.splitlines()
    item = next(iter(client.archives["wards"])).rpartition("/")[2]
    assert lines[0].split() == ["rank", "score", "name", "labels", "item"]
    assert lines[1].split() == ["1", "1.0000", "normal/normal.png", "(the", "query", "itself)", "normal", item]
    assert lines[-1].startswith("2 items searched (exact)")


@pytest.mark.parametrize("by_id", [True, False])
def test_search_takes_an_item_by_name_or_id(client: FakeClient, data: Path, by_id: bool) -> None:
    _run("index", str(data), "--archive", "wards")
    name = next(iter(client.archives["wards"]))
    assert _run("search", name.rpartition("/")[2] if by_id else name, "--archive", "wards").exit_code == 0
    assert client.calls[-1][1]["source"] == name


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (["no-such-file.png", "--archive", "wards"], 2, "FIELD_INVALID"),
        (["{query}", "--archive", "wards", "--filter-years", "soon"], 2, "FIELD_INVALID"),
        (["{query}", "--archive", "absent"], 1, "ARCHIVE_NOT_FOUND"),
    ],
)
def test_search_failures_are_one_line_with_their_reason(
    client: FakeClient, data: Path, args: list[str], code: int, reason: str
) -> None:
    query = str(data / "normal" / "normal.png")
    result = _run("search", *(arg.format(query=query) for arg in args), "--json")
    assert result.exit_code == code
    assert _json(result)["error"]["reason"] == reason
    assert result.stderr.count("\n") == 1
    assert f"[{reason}" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BackendUnavailableError("no service", metadata={"tail": "line\nthe site key is missing"}), 3),
        (TimeoutError("too slow"), 3),
        (InternalError("x"), 1),
        (PermissionError(13, "Permission denied", "/x"), 1),
        (ModuleNotFoundError("No module named 'openvino'", name="openvino"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_exit_code_and_no_traceback(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(client, "list_archives", fail)
    result = _run("archive", "list")
    assert result.exit_code == code
    assert "Traceback" not in result.output
    tail = getattr(error, "metadata", {}).get("tail", "")
    assert all(f"  | {line}" in result.stderr for line in tail.splitlines())


def test_debug_shows_where_an_error_was_raised(client: FakeClient) -> None:
    result = _run("archive", "show", "absent", "--debug")
    assert type(result.exception).__name__ == "ArchiveNotFoundError"


def test_archive_commands_print_json(client: FakeClient) -> None:
    assert _json(_run("archive", "create", "wards", "--json"))["name"] == "archives/wards"
    assert [info["name"] for info in _json(_run("archive", "list", "--json"))] == ["archives/wards"]
    assert _json(_run("archive", "show", "wards", "--json"))["fields"] == {"labels": {"normal": 2}}
    assert _json(_run("archive", "items", "wards", "--json")) == []
    assert _json(_run("archive", "delete", "wards", "--force", "--json")) == {"deleted": "wards"}
    assert client.calls[-1] == ("delete_archive", {"archive": "wards", "force": True})


def test_archives_of_evaluations_are_listed_only_when_asked_for(client: FakeClient) -> None:
    for name in ("wards", "eval-covidx-test-0123abcd", "eval-mine"):
        client.create_archive(name)
    listed = _run("archive", "list", "--json")
    assert [info["name"] for info in _json(listed)] == ["archives/eval-mine", "archives/wards"]
    assert "not listed (--all does): archives of evaluations: 1" in listed.stderr
    assert len(_json(_run("archive", "list", "--all", "--json"))) == 3


def test_a_rebuild_waits_until_the_index_is_made_unless_told_otherwise(client: FakeClient) -> None:
    client.create_archive("wards")
    waited = _json(_run("archive", "rebuild", "wards", "--json"))
    assert (waited["items"], waited["state"]) == (0, "ready")
    assert _json(_run("archive", "rebuild", "wards", "--no-wait", "--json"))["state"] == "rebuilding (0 of 1)"
    assert client.calls[-1] == ("rebuild_archive", {"archive": "wards"})


def test_purge_only_counts_without_force(client: FakeClient) -> None:
    result = _run("archive", "purge", "wards", "--patient", "p1")
    assert result.stdout == "3 items selected, 0 deleted; nothing is deleted without --force\n"
    assert client.calls[-1][1]["filter"] is None
    assert (
        _json(_run("archive", "purge", "wards", "--filter-label", "normal", "--force", "--json"))["deleted_items"] == 3
    )
    assert client.calls[-1][1]["filter"] == ItemFilter(labels=("normal",))


def test_models_of_an_empty_home(home: Path) -> None:
    assert _json(_run("models", "list", "--json")) == []
    result = _run("models", "show", "densenet121")
    assert result.exit_code == 1
    assert "MODEL_NOT_FOUND" in result.stderr


def test_offline_commands_refuse_a_home_that_is_in_use(home: Path) -> None:
    from xmirad.home import Home, exclusive

    Home(home).prepare()
    with exclusive(Home(home).service_lock, purpose="the retrieval service"):
        result = _run("archive", "verify", "wards")
    assert result.exit_code == 1
    assert "in use by the retrieval service" in result.stderr


def test_a_second_up_is_told_who_holds_the_home(home: Path) -> None:
    from xmirad.home import Home, exclusive

    Home(home).prepare()
    with exclusive(Home(home).supervisor_lock, purpose="xmirad up"):
        result = _run("up")
    assert result.exit_code == 1
    assert "in use by xmirad up (process" in result.stderr


def test_a_repeatable_option_is_shown_with_the_type_of_one_value() -> None:
    shown = _run("search", "--help").stdout
    assert "--filter-label <str>" in shown
    assert "--filter-sex <F|M|O>" in shown
    assert "list[" not in shown


def test_no_event_of_the_library_is_printed_by_a_command(tmp_path: Path) -> None:
    token = tmp_path / "viewer.token"
    token.write_text("xmirad_secret")
    token.chmod(0o644)
    code = "from xmirad.cli.main import main; main()"
    flags = ["--address", "127.0.0.1:1", "--token-file", str(token)]
    done = subprocess.run(
        [sys.executable, "-c", code, "archive", "list", *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "secret.readable_by_others" not in done.stderr
    assert done.stderr.startswith("error: ")
