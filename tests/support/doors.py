"""Doors, callers and tokens for tests."""

from xmirad.access.caller import Caller
from xmirad.access.quotas import Quota, Quotas
from xmirad_services.retrieval import door
from xmirad_services.retrieval.door import Door

PLENTY = Quota(calls_per_second=1e6, burst_calls=1_000_000, concurrent_calls=1_000)


def open_door(site: str = "local") -> Door:
    """Return a door that asks for nothing."""
    return Door(None, Quotas(PLENTY), site=site)


def come_in(caller: Caller) -> None:
    """Make what this test calls from now on the calls of a caller."""
    door._caller.set(caller)
