"""Pages of programs that tests start, over plain HTTP on the loopback interface."""

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable

TIMEOUT_SECONDS = 5.0


def get(url: str, *, credentials: str = "") -> tuple[int, str]:
    """Return status and text of a page.

    Args:
        url: Of the page.
        credentials: `name:password`, for basic authentication.
    """
    headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"} if credentials else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - tests give http URLs only
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def wait_for(is_so: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> None:
    """Ask until something is so; pages that are not there yet are no answer."""
    deadline = time.monotonic() + seconds
    while not _holds(is_so):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)


def _holds(is_so: Callable[[], bool]) -> bool:
    try:
        return is_so()
    except OSError:
        return False
