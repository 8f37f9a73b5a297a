"""Whose image is decoded next. A data structure with a clock: it knows nothing of processes and threads.

Each caller has an account of the processor time that its images took, in which old time counts half as much after every
`HALF_LIFE_SECONDS`. Of the callers that wait, the one that used least is next (fair queueing by measured cost). Of one
caller's images, those of interactive requests come first.

There are two kinds of places. An image gets a quick place first. One that takes longer than the pool allows there moves
to a slow place. If none is free, it is stopped as soon as another image waits for the quick place, and begins anew
when there is one. For the next `SLOW_MEMORY_SECONDS` the caller's images
of the same priority wait for slow places, so quick places stay free for the images of everybody else.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from xmirad.errors import OverloadedError
from xmirad.lanes import READER_PRESENCE_SECONDS, Priority

HALF_LIFE_SECONDS = 30.0
SLOW_MEMORY_SECONDS = 30.0
MAX_WAITING = 256
RETRY_SECONDS = 1.0
MOST_ACCOUNTS = 1_000
_NEWEST_SHARE = 0.25
T = TypeVar("T")


class Pace(StrEnum):
    """The kind of place that an image is decoded in."""

    QUICK = "quick"
    SLOW = "slow"


@dataclass(slots=True, eq=False)
class Ticket(Generic[T]):
    """One image that waits or is being decoded.

    Attributes:
        caller: Whose account it is charged to.
        priority: Who waits for it.
        item: What is to be done.
        order: Number of its arrival.
        pace: The kind of place that it has, or the least that it waits for.
        is_withdrawn: Whether nobody waits for it any more.
        estimate: Seconds of processor time that were charged in advance.
    """

    caller: str
    priority: Priority
    item: T
    order: int
    pace: Pace = Pace.QUICK
    is_withdrawn: bool = False
    estimate: float = 0.0


@dataclass(slots=True)
class _Account(Generic[T]):
    """What one caller has used, and what it waits for."""

    used: float = 0.0
    at: float = 0.0
    mean_cost: float = 0.0
    running: int = 0
    slow_until: dict[Priority, float] = field(default_factory=dict)
    waiting: dict[Priority, deque[Ticket[T]]] = field(default_factory=lambda: {each: deque() for each in Priority})

    def count(self) -> int:
        """Return how many images wait."""
        return sum(map(len, self.waiting.values()))

    def pace_of(self, ticket: Ticket[T], now: float) -> Pace:
        """Return which kind of place an image waits for."""
        is_slow = ticket.pace is Pace.SLOW or self.slow_until.get(ticket.priority, 0.0) > now
        return Pace.SLOW if is_slow else Pace.QUICK

    def used_by(self, now: float) -> float:
        """Return the processor seconds used until now, of which old ones count less."""
        self.used *= 0.5 ** ((now - self.at) / HALF_LIFE_SECONDS)
        self.at = now
        return self.used

    def charge(self, seconds: float, now: float) -> None:
        """Add processor seconds, or take back what an estimate was too much."""
        self.used = max(0.0, self.used_by(now) + seconds)


class FairQueue(Generic[T]):
    """Images that wait for a place, by caller. To be used under a lock of its owner's."""

    def __init__(
        self, *, places: int, max_waiting: int = MAX_WAITING, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Have so many quick places and as many slow ones; each caller may have `max_waiting` images waiting."""
        self._places = places
        self._max_waiting = max_waiting
        self._clock = clock
        self._order = itertools.count()
        self._accounts: dict[str, _Account[T]] = {}
        self._waiting: dict[str, _Account[T]] = {}
        self._running = {(pace, priority): 0 for pace in Pace for priority in Priority}
        self._interactive_seen = float("-inf")

    def __len__(self) -> int:
        """Return how many images wait."""
        return sum(account.count() for account in self._waiting.values())

    def put(self, item: T, *, caller: str, priority: Priority, pace: Pace = Pace.QUICK) -> Ticket[T]:
        """Let an image wait, for a slow place if it is expected to take long.

        Raises:
            OverloadedError: If too many images of the caller wait.
        """
        account = self._account(caller)
        if account.count() >= self._max_waiting:
            message = f"{self._max_waiting} images of this caller wait to be decoded, which is the limit"
            metadata = {"max_waiting_images": str(self._max_waiting)}
            raise OverloadedError(message, metadata=metadata, retry_delay_seconds=RETRY_SECONDS)
        if priority is Priority.INTERACTIVE:
            self._interactive_seen = self._clock()
        ticket = Ticket(caller, priority, item, next(self._order), pace)
        account.waiting[priority].append(ticket)
        self._waiting[caller] = account
        return ticket

    def withdraw(self, ticket: Ticket[T]) -> bool:
        """Note that nobody waits for an image any more; return whether it had not begun, and so costs nothing."""
        ticket.is_withdrawn = True
        account = self._waiting.get(ticket.caller)
        if account is None or ticket not in account.waiting[ticket.priority]:
            return False
        account.waiting[ticket.priority].remove(ticket)
        self._note_emptied(ticket.caller)
        return True

    def take(self) -> Ticket[T] | None:
        """Give the next image a place, or return None if none may begin now."""
        now = self._clock()
        chosen: tuple[float, int, _Account[T], Ticket[T], Pace] | None = None
        for account in self._waiting.values():
            for ticket, pace in self._startable(account, now):
                candidate = (account.used_by(now), ticket.order, account, ticket, pace)
                if chosen is None or candidate[:2] < chosen[:2]:
                    chosen = candidate
        if chosen is None:
            return None
        _, _, account, ticket, pace = chosen
        account.waiting[ticket.priority].popleft()
        self._note_emptied(ticket.caller)
        account.running += 1
        ticket.pace, ticket.estimate = pace, account.mean_cost
        account.charge(ticket.estimate, now)
        self._running[pace, ticket.priority] += 1
        return ticket

    def slow_down(self, ticket: Ticket[T]) -> bool:
        """Note that an image takes longer than a quick place allows, and move it to a slow place if one is free.

        Returns:
            True if it may go on: it has moved, or nobody waits for a quick place. False if it must be put back.
        """
        self._remember_slow(ticket)
        if self._in(Pace.SLOW) >= self._places:
            return not self._is_quick_waiting()
        self._running[ticket.pace, ticket.priority] -= 1
        ticket.pace = Pace.SLOW
        self._running[ticket.pace, ticket.priority] += 1
        return True

    def put_back(self, ticket: Ticket[T], *, seconds: float) -> None:
        """Let a stopped image wait for a slow place, before others of its caller, and charge what it has used."""
        account = self._leave(ticket, seconds)
        ticket.pace = Pace.SLOW
        account.waiting[ticket.priority].appendleft(ticket)
        self._waiting[ticket.caller] = account

    def finish(self, ticket: Ticket[T], *, seconds: float, is_slow: bool = False) -> None:
        """Free an image's place and charge its processor seconds to its caller."""
        account = self._leave(ticket, seconds)
        account.mean_cost += (seconds - account.mean_cost) * _NEWEST_SHARE
        if is_slow:
            self._remember_slow(ticket)

    def drain(self) -> list[Ticket[T]]:
        """Take out everything that waits."""
        tickets = [one for account in self._waiting.values() for queue in account.waiting.values() for one in queue]
        for ticket in tickets:
            self.withdraw(ticket)
        return tickets

    def _startable(self, account: _Account[T], now: float) -> Iterator[tuple[Ticket[T], Pace]]:
        """Yield the first image of an account that may begin, interactive before background."""
        for priority, queue in account.waiting.items():
            if not queue:
                continue
            ticket = queue[0]
            pace = account.pace_of(ticket, now)
            if self._in(pace) < self._places and self._may_begin(priority, pace, now):
                yield ticket, pace
                return

    def _is_quick_waiting(self) -> bool:
        now = self._clock()
        heads = (
            (account, queue[0]) for account in self._waiting.values() for queue in account.waiting.values() if queue
        )
        return any(account.pace_of(ticket, now) is Pace.QUICK for account, ticket in heads)

    def _may_begin(self, priority: Priority, pace: Pace, now: float) -> bool:
        """Leave one place free for interactive requests, while there are some and more than one place."""
        if priority is Priority.INTERACTIVE or self._running[pace, priority] < max(1, self._places - 1):
            return True
        return now - self._interactive_seen > READER_PRESENCE_SECONDS

    def _in(self, pace: Pace) -> int:
        return sum(self._running[pace, priority] for priority in Priority)

    def _leave(self, ticket: Ticket[T], seconds: float) -> _Account[T]:
        account = self._accounts[ticket.caller]
        account.running -= 1
        account.charge(seconds - ticket.estimate, self._clock())
        self._running[ticket.pace, ticket.priority] -= 1
        return account

    def _remember_slow(self, ticket: Ticket[T]) -> None:
        self._accounts[ticket.caller].slow_until[ticket.priority] = self._clock() + SLOW_MEMORY_SECONDS

    def _note_emptied(self, caller: str) -> None:
        if not self._accounts[caller].count():
            del self._waiting[caller]

    def _account(self, caller: str) -> _Account[T]:
        if caller not in self._accounts:
            self._forget()
            self._accounts[caller] = _Account(at=self._clock())
        return self._accounts[caller]

    def _forget(self) -> None:
        """Drop the accounts that used least, once there are many; none with images under way."""
        excess = len(self._accounts) + 1 - MOST_ACCOUNTS
        if excess <= 0:
            return
        now = self._clock()
        idle = [name for name, account in self._accounts.items() if not account.running and not account.count()]
        for name in sorted(idle, key=lambda each: self._accounts[each].used_by(now))[:excess]:
            del self._accounts[name]
