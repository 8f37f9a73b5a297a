"""How much one caller may ask for."""

from contextlib import ExitStack

import pytest

from xmirad.access.caller import Caller
from xmirad.access.quotas import Quota, Quotas
from xmirad.errors import QuotaExceededError


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def caller(name: str, site: str = "local") -> Caller:
    return Caller(name, site, frozenset())


def call(quotas: Quotas, name: str = "a", site: str = "local") -> None:
    with quotas.charged(caller(name, site)):
        pass


def test_a_burst_is_let_through_and_then_the_rate_holds() -> None:
    clock = Clock()
    quotas = Quotas(Quota(calls_per_second=2, burst_calls=3, concurrent_calls=9), clock=clock)
    for _ in range(3):
        call(quotas)
    with pytest.raises(QuotaExceededError) as caught:
        call(quotas)
    assert caught.value.retry_delay_seconds == pytest.approx(0.5)

    clock.now += 0.5
    call(quotas)
    with pytest.raises(QuotaExceededError):
        call(quotas)
    clock.now += 3600  # no more than a burst is saved up
    for _ in range(3):
        call(quotas)
    with pytest.raises(QuotaExceededError):
        call(quotas)


def test_one_caller_takes_nothing_from_another_nor_from_its_namesake_of_another_site() -> None:
    quotas = Quotas(Quota(calls_per_second=0.1, burst_calls=1, concurrent_calls=1))
    call(quotas, "a")
    call(quotas, "b")
    call(quotas, "a", "north")
    with pytest.raises(QuotaExceededError):
        call(quotas, "a")


def test_calls_under_way_are_bounded_and_come_back_even_after_a_failure() -> None:
    quotas = Quotas(Quota(calls_per_second=1e6, burst_calls=1_000, concurrent_calls=2))
    with ExitStack() as stack:
        stack.enter_context(quotas.charged(caller("a")))
        with pytest.raises(ZeroDivisionError), quotas.charged(caller("a")):
            raise ZeroDivisionError
        stack.enter_context(quotas.charged(caller("a")))
        with pytest.raises(QuotaExceededError) as caught:
            call(quotas)
        assert caught.value.metadata == {"concurrent_calls": "2"}
        assert caught.value.retry_delay_seconds
    call(quotas)


def test_the_memory_of_callers_is_bounded_and_forgets_none_with_calls_under_way() -> None:
    quotas = Quotas(Quota(calls_per_second=1, burst_calls=1, concurrent_calls=1), most_callers=10)
    with quotas.charged(caller("busy")):
        for at in range(1_000):
            call(quotas, str(at))
        assert len(quotas) == 10
        with pytest.raises(QuotaExceededError):
            call(quotas, "busy")
