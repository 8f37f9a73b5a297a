import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from xmirad.doctor.examining import diagnose
from xmirad.doctor.findings import Diagnosis, Finding, State, ok
from xmirad.doctor.parts import PARTS, Check, Part
from xmirad.errors import BackendUnavailableError
from xmirad.settings import Settings


def part(name: str, check: Check) -> Part:
    return Part(name, lambda: check)


def examine(home: Path, *parts: Part, limit_seconds: float = 5.0) -> Diagnosis:
    return diagnose({"home": home}, parts=parts, limit_seconds=limit_seconds)


def fine(name: str) -> Callable[[Settings], Iterable[Finding]]:
    return lambda _settings: [ok(name, "fine")]


def test_findings_come_in_the_order_of_the_parts(tmp_path: Path) -> None:
    def slow(_settings: Settings) -> Iterator[Finding]:
        time.sleep(0.05)
        yield ok("first", "slow")

    found = examine(tmp_path, part("first", slow), part("second", fine("second")))
    assert [finding.name for finding in found.findings] == ["first", "second"]
    assert found.healthy
    assert found.is_complete


def test_parts_are_examined_side_by_side(tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def meet(_settings: Settings) -> Iterator[Finding]:
        together.wait(timeout=3.0)
        yield ok("met", "met")

    assert examine(tmp_path, *(part(str(number), meet) for number in range(3))).healthy


def test_a_check_that_hangs_is_given_up_with_a_warning_and_what_it_found_before_counts(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_settings: Settings) -> Iterator[Finding]:
        yield ok("hanging", "begun")
        release.wait()

    begin = time.monotonic()
    found = examine(tmp_path, part("hanging", hang), part("other", fine("other")), limit_seconds=0.2)
    release.set()
    assert time.monotonic() - begin < 1.0
    assert [finding.state for finding in found.findings] == [State.OK, State.WARNING, State.OK]
    assert found.findings[1].found == "not finished in time"
    assert found.findings[1].remedy
    assert found.healthy
    assert not found.is_complete


def test_a_check_that_time_was_too_short_for_is_a_warning(tmp_path: Path) -> None:
    release = threading.Event()

    def load() -> Check:
        release.wait()
        return fine("late")

    found = examine(tmp_path, Part("slow", load), part("late", fine("late")), limit_seconds=0.1)
    release.set()
    assert [finding.state for finding in found.findings] == [State.WARNING, State.WARNING]
    assert not found.is_complete


def test_what_costs_much_is_begun_last() -> None:
    names = [each.name for each in PARTS]
    assert names == [
        "settings",
        "disk",
        "broker",
        "service",
        "credentials",
        "certificates",
        "catalog",
        "archives",
        "store",
        "decoder",
        "model",
    ]


def test_a_check_that_breaks_tells_where_and_no_secret(tmp_path: Path) -> None:
    def broken(_settings: Settings) -> Iterator[Finding]:
        raise RuntimeError("redis://:planted-secret@host")

    found = examine(tmp_path, part("broken", broken), part("other", fine("other"))).findings
    assert found[0].state is State.FAILED
    assert "RuntimeError at test_examining.py:" in found[0].found
    assert "planted-secret" not in str(found)
    assert found[1].state is State.OK


def test_a_domain_error_is_told_in_its_own_words(tmp_path: Path) -> None:
    def unavailable(_settings: Settings) -> Iterator[Finding]:
        raise BackendUnavailableError("the tape is torn")

    (found,) = examine(tmp_path, part("tape", unavailable)).findings
    assert (found.state, found.found) == (State.FAILED, "the tape is torn")


def test_a_part_whose_package_is_not_installed_is_skipped_and_said_so(tmp_path: Path) -> None:
    def load() -> Check:
        raise ModuleNotFoundError("No module named 'celery.app'", name="celery.app")

    (found,) = examine(tmp_path, Part("broker", load)).findings
    assert found.state is State.SKIPPED
    assert "celery" in found.found
    assert "xmirad[server]" in found.found


def test_a_module_of_ours_that_is_missing_is_no_reason_to_skip(tmp_path: Path) -> None:
    def load() -> Check:
        raise ModuleNotFoundError("No module named 'xmirad.lost'", name="xmirad.lost")

    assert examine(tmp_path, Part("broker", load)).findings[0].state is State.FAILED


def test_an_unknown_setting_is_named_and_all_else_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XMIRAD_STORE__KIMD", "edge")
    found = diagnose({"home": tmp_path}).findings
    assert found[0].state is State.FAILED
    assert "XMIRAD_STORE__KIMD" in found[0].found
    assert [finding.name for finding in found[1:]] == [each.name for each in PARTS if each.name != "settings"]
    assert {finding.state for finding in found[1:]} == {State.SKIPPED}
