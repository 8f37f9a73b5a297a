"""How much one caller may ask for: a rate with bursts, and a number of calls under way."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from xmirad.access.caller import Caller
from xmirad.errors import QuotaExceededError

MOST_CALLERS = 10_000
CONCURRENCY_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Quota:
    """What every caller may do.

    Attributes:
        calls_per_second: Calls in the long run.
        burst_calls: Calls at once.
        concurrent_calls: Calls under way; a stream is one.
    """

    calls_per_second: float
    burst_calls: int
    concurrent_calls: int


@dataclass(slots=True)
class _Account:
    left: float
    at: float
    running: int = 0


class Quotas:
    """Counts the calls of each caller. Belongs to one thread.

    At most `most_callers` are remembered, the latest ones; who was forgotten begins with a full burst. None with calls
    under way is forgotten.
    """

    def __init__(
        self, quota: Quota, *, most_callers: int = MOST_CALLERS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Give every caller the same quota."""
        self._quota = quota
        self._most_callers = most_callers
        self._clock = clock
        self._accounts: OrderedDict[tuple[str, str], _Account] = OrderedDict()

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._accounts)

    @contextmanager
    def charged(self, caller: Caller) -> Iterator[None]:
        """Count a call for the length of the block.

        Raises:
            QuotaExceededError: If the caller has no call left; it says when one may be made.
        """
        account = self._account(caller)
        self._refuse_too_many(account)
        self._take(account)
        account.running += 1
        try:
            yield
        finally:
            account.running -= 1

    def _account(self, caller: Caller) -> _Account:
        key = (caller.site, caller.name)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(left=float(self._quota.burst_calls), at=self._clock())
            self._forget()
        self._accounts.move_to_end(key)
        return account

    def _forget(self) -> None:
        excess = len(self._accounts) - self._most_callers
        if excess > 0:
            idle = [key for key, account in self._accounts.items() if not account.running][:excess]
            for key in idle:
                del self._accounts[key]

    def _refuse_too_many(self, account: _Account) -> None:
        limit = self._quota.concurrent_calls
        if account.running >= limit:
            message = f"{limit} calls of this caller are under way, which is the limit"
            metadata = {"concurrent_calls": str(limit)}
            raise QuotaExceededError(message, metadata=metadata, retry_delay_seconds=CONCURRENCY_RETRY_SECONDS)

    def _take(self, account: _Account) -> None:
        quota, now = self._quota, self._clock()
        account.left = min(account.left + (now - account.at) * quota.calls_per_second, float(quota.burst_calls))
        account.at = now
        if account.left < 1:
            message = f"this caller has used up its {quota.calls_per_second:g} calls a second"
            metadata = {"calls_per_second": f"{quota.calls_per_second:g}", "burst_calls": str(quota.burst_calls)}
            delay = (1 - account.left) / quota.calls_per_second
            raise QuotaExceededError(message, metadata=metadata, retry_delay_seconds=delay)
        account.left -= 1
