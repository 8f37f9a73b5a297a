"""Runs the checks side by side and gives up on those that hang.

A check may wait for a server that never answers, or for a name that is never resolved. It runs in a daemon thread,
which does not keep the process alive: what it has found until the limit counts, and that it has not finished is a
warning, for a machine that is busy is not one where something is broken.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xmirad.doctor.findings import Diagnosis, Finding, failed, skipped, warning
from xmirad.doctor.parts import IMPORTING, PARTS, Check, Part
from xmirad.errors import InvalidRequestError, XmiradError
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings

LIMIT_SECONDS = 3.6
"""With the start of the command it stays below 5 s."""
OWN_PACKAGES = "xmirad"


class Examination:
    """A check at work, and what it has found so far."""

    def __init__(self, part: Part) -> None:
        """Find nothing yet."""
        self.name = part.name
        self._load = part.load
        self._findings: list[Finding] = []
        self._begun = threading.Event()
        self._done = threading.Event()

    def start(self, settings: Settings) -> None:
        """Import the check, which is not safe to do in several threads at once, and have a thread of its own do it."""
        try:
            with IMPORTING:
                check = self._load()
        except ModuleNotFoundError as error:
            self._findings.append(_without(self.name, error))
            self._done.set()
        else:
            self._begun.set()
            _in_background(lambda: self._run(check, settings), name=self.name)

    @property
    def is_done(self) -> bool:
        """Whether it ended."""
        return self._done.is_set()

    def conclude(self, deadline: float) -> list[Finding]:
        """Wait until it ends or time is up, and return what it has found."""
        if self._done.wait(max(0.0, deadline - time.monotonic())):
            return self._findings
        if not self._begun.is_set():
            found = "not finished in time: there was none left to begin it"
            return [warning(self.name, found, "try again when the machine has less to do")]
        remedy = "try again when the machine has less to do, and see whether names in the settings can be resolved"
        return [*self._findings, warning(self.name, "not finished in time", remedy)]

    def _run(self, check: Check, settings: Settings) -> None:
        try:
            for finding in check(settings):
                self._findings.append(finding)
        except XmiradError as error:
            self._findings.append(failed(self.name, error.message, "`xmirad config show` lists the settings"))
        except Exception as error:  # noqa: BLE001 - one broken check must not hide what the others find
            self._findings.append(_broken(self.name, error))
        finally:
            self._done.set()


def diagnose(
    flags: Mapping[str, Any] | None = None,
    *,
    parts: Sequence[Part] = PARTS,
    limit_seconds: float = LIMIT_SECONDS,
) -> Diagnosis:
    """Examine every part.

    Args:
        flags: Nested settings from the command line.
        parts: What to look at.
        limit_seconds: How long all of it may take together.
    """
    begin = time.monotonic()
    try:
        settings = load_settings(flags)
    except InvalidRequestError as error:
        return Diagnosis(tuple(_unreadable(error, parts)), time.monotonic() - begin, is_complete=True)
    examinations = [Examination(part) for part in parts]

    def start_all() -> None:
        for examination in examinations:
            examination.start(settings)

    _in_background(start_all, name="start")
    findings = tuple(found for each in examinations for found in each.conclude(begin + limit_seconds))
    is_complete = all(each.is_done for each in examinations)
    return Diagnosis(findings, time.monotonic() - begin, is_complete=is_complete)


def _in_background(work: Callable[[], None], *, name: str) -> None:
    threading.Thread(target=work, name=f"doctor-{name}", daemon=True).start()


def _without(name: str, error: ModuleNotFoundError) -> Finding:
    missing = (error.name or "").partition(".")[0]
    if missing.startswith(OWN_PACKAGES):
        return _broken(name, error)
    return skipped(name, f"this install has no Python package {missing}, which is part of xmirad[server]")


def _unreadable(error: InvalidRequestError, parts: Iterable[Part]) -> Iterable[Finding]:
    yield failed("settings", error.message, "correct it; docs/settings.md has every setting")
    for part in parts:
        if part.name != "settings":
            yield skipped(part.name, "the settings cannot be read")


def _broken(name: str, error: Exception) -> Finding:
    """Return that a check itself broke, and where; never the error's text, which may quote a URL."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return failed(name, f"the check itself broke: {type(error).__name__} at {place}", "report it with this line")
