"""The log says who is kept out, and strangers cannot fill it."""

from structlog.testing import capture_logs

from xmirad.errors import AccessDeniedError, InternalError, OverloadedError, QuotaExceededError, UnauthenticatedError
from xmirad.observability.fields import ALLOWED_FIELDS
from xmirad_services.retrieval.refusals import RefusalLog


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_line_a_second_says_how_many_were_refused() -> None:
    clock = Clock()
    log = RefusalLog(clock=clock)
    with capture_logs() as lines:
        for _ in range(100):
            log.note("xmirad.v1.A/B", UnauthenticatedError("no"))
        clock.now = 1.0
        log.note("xmirad.v1.A/C", AccessDeniedError("no"))
    assert [(line["event"], line["method"], line["reason"], line["count"]) for line in lines] == [
        ("door.refused", "xmirad.v1.A/B", "TOKEN_MISSING", 1),
        ("door.refused", "xmirad.v1.A/C", "ACCESS_DENIED", 100),
    ]
    assert set(lines[0]) - {"log_level"} <= ALLOWED_FIELDS


def test_only_refusals_of_the_door_are_told() -> None:
    with capture_logs() as lines:
        for error in (OverloadedError("busy"), InternalError("broken")):
            RefusalLog().note("xmirad.v1.A/B", error)
        RefusalLog().note("xmirad.v1.A/B", QuotaExceededError("no"))
    assert [line["reason"] for line in lines] == ["QUOTA_EXCEEDED"]
