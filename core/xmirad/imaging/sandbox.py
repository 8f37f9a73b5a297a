"""Decoding in child processes, so that no file can harm the process that asks.

One thread, the keeper, starts the fork server, has it fork all children, replaces lost ones and ends them at last: the
kernel kills the fork server when the thread that started it ends, so that thread must live as long as the pool. A spare
child stands ready beside those at work, so that a child that is lost to a bad image costs the next caller no time.

Whose image is next, and which images are apart from the others because they take long, says `fair_queue.py`. Worker
threads, one a place, take images from it. Slow places have children of their own, of lower priority.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from xmirad.errors import BackendUnavailableError, InvalidImageError
from xmirad.imaging.child import ChildLostError, DecoderChild, Loss, Watch
from xmirad.imaging.fair_queue import FairQueue, Pace, Ticket
from xmirad.imaging.fork_server import START_SECONDS, ForkServer, ForkServerLostError
from xmirad.imaging.kernel_locks import Lock
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import field_of
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.wire import MAX_CROP_SIZE, Failure
from xmirad.lanes import READER_PRESENCE_SECONDS, Priority
from xmirad.types import DecodedImage, EncodedImage, UInt8Array

logger = logging.getLogger(__name__)

QUICK_SECONDS = 0.25
"""Processor time that an image may take in a quick place."""
QUICK_WALL_FACTOR = 8
"""Once an image has held a quick place for so many times as long it goes, even if its child hardly got a processor."""
RETRY_SECONDS = 1.0
MOST_STARTS = 2
MOST_KILLS = 2
"""Children of one image that may be killed from outside."""
JPEG_MARK, JPEG_SCAN_MARK = b"\xff\xd8\xff", b"\xff\xda"
LOOKED_AT_BYTES = 1 << 20
MOST_QUICK_SCANS = 100
"""Progressive JPEGs have about ten. Each of them goes over all pixels."""
SHORTEST_LOOK_SECONDS = 0.05
T = TypeVar("T")
Reply = TypeVar("Reply")


class Decoder(Protocol):
    """What decodes images, in the sandbox."""

    def decode(self, image: EncodedImage, recipe: Preprocessing) -> DecodedImage:
        """Decode an image and prepare it for a model."""
        ...

    def picture(self, image: EncodedImage) -> UInt8Array:
        """Decode an image for people to look at."""
        ...


@dataclass(slots=True, eq=False)
class Work(Generic[T]):
    """What is to be done in a place.

    Attributes:
        call: Is given the decoder; called again from the start if it had to be stopped.
        future: Gets its result.
        has_begun: Whether it was called before.
    """

    call: Callable[[Decoder], T]
    future: Future[T]
    has_begun: bool = False


class _StoppedError(Exception):
    """A call was stopped and is to be made again in a slow place, or nobody waits for it any more."""


class _TimedOutError(Exception):
    """An image's wall-clock time is over."""


class DecoderPool:
    """Decoder children for a number of quick places and as many slow ones. Thread-safe."""

    def __init__(self, limits: DecodeLimits, *, children: int, quick_seconds: float = QUICK_SECONDS) -> None:
        """Make a pool of so many quick places without starting it."""
        if children < 1:
            raise ValueError("children must be at least 1")
        self.limits = limits
        self.quick_seconds = quick_seconds
        self._places = children
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._child_came = threading.Condition(self._lock)
        self._queue: FairQueue[Work[Any]] = FairQueue(places=children)
        self._alive: set[DecoderChild] = set()
        self._idle: list[DecoderChild] = []
        self._quick_wanted = children + 1  # and a spare one
        self._server: ForkServer | None = None
        self._is_slow_wanted = False
        self._is_failing = False
        self._refused: frozenset[Lock] = frozenset()
        self._is_closed = False
        self._wakeups: queue.SimpleQueue[DecoderChild | bool] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._keep, name="decoder-keeper", daemon=True)
        self._workers = [
            threading.Thread(target=self._serve, name=f"decode-{number}", daemon=True)
            for number in range(len(Pace) * children)
        ]

    def _note_refused(self, refused: frozenset[Lock]) -> None:
        """Say once what the kernel does not take from children."""
        if refused != self._refused and refused:
            logger.warning("decoder.less_confined", extra={"cause": ", ".join(sorted(refused))})
        self._refused = refused

    def start(self) -> None:
        """Start the children and wait until they are ready.

        Raises:
            BackendUnavailableError: If they do not start.
        """
        self._keeper.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            started = [self.take_child(Pace.QUICK, deadline) for _ in range(self._places)]
        except BackendUnavailableError:
            self.close()
            raise
        for child in started:
            self.give_back(child, is_reusable=True)
        for worker in self._workers:
            worker.start()

    def decode(self, image: EncodedImage, recipe: Preprocessing) -> DecodedImage:
        """Decode an image and prepare it for a model. Blocks until a child is free and done.

        Raises:
            InvalidImageError: If it cannot be decoded, or not within the processor time that it may take.
            UnsupportedImageError: If no decoder for it is allowed.
            PayloadTooLargeError: If it exceeds a limit in bytes, pixels or memory.
            InvalidRequestError: If media type or frame do not fit the file.
            BackendUnavailableError: If the pool is closed, its children do not start, or the machine is too busy to
                decode it within the wall-clock limit.
        """
        return self.submit(lambda decoder: decoder.decode(image, recipe), image).item.future.result()

    def picture(self, image: EncodedImage) -> UInt8Array:
        """Decode an image for people to look at: uint8 RGB, `[height, width, 3]`, at most 1,024 pixels a side.

        Raises:
            XmiradError: As `decode` does.
        """
        return self.submit(lambda decoder: decoder.picture(image), image).item.future.result()

    def submit(
        self,
        call: Callable[[Decoder], T],
        image: EncodedImage,
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
    ) -> Ticket[Work[T]]:
        """Let a call wait for its place, in which it decodes an image of a caller.

        It runs in a worker thread. It must bear being called again: if an image takes long, what it has done is lost.

        Raises:
            OverloadedError: If too many calls of this caller wait.
            BackendUnavailableError: If the pool is closed.
        """
        work, pace = Work(call, Future()), Pace.SLOW if _has_many_scans(image.data) else Pace.QUICK
        with self._lock:
            if self._is_closed:
                raise _closed()
            ticket = self._queue.put(work, caller=caller, priority=priority, pace=pace)
            self._work_came.notify()
        return ticket

    def withdraw(self, ticket: Ticket[Work[Any]]) -> None:
        """Forget a call that nobody waits for any more; one that has begun is stopped once it takes long."""
        with self._lock:
            self._queue.withdraw(ticket)
        ticket.item.future.cancel()

    def close(self) -> None:
        """End all children. Who is still waiting gets an error. May be repeated."""
        with self._lock:
            self._is_closed = True
            for child in self._alive:
                child.kill()
            if self._server is not None and not self._alive:
                self._server.kill()  # the keeper may wait for its start
            waiting = self._queue.drain()
            self._work_came.notify_all()
            self._child_came.notify_all()
        for ticket in waiting:
            if ticket.item.has_begun or ticket.item.future.set_running_or_notify_cancel():
                ticket.item.future.set_exception(_closed())
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
        self._wakeups.put(False)  # only now: the keeper takes away what a worker may still use
        if self._keeper.is_alive():
            self._keeper.join()

    def process_ids(self) -> list[int]:
        """Return the children's process ids, for supervision."""
        with self._lock:
            return sorted(child.pid for child in self._alive)

    def _serve(self) -> None:
        """Take what waits, one call after the other. Runs in the workers."""
        while (ticket := self._next()) is not None:
            work: Work[Any] = ticket.item
            if work.has_begun or work.future.set_running_or_notify_cancel():
                work.has_begun = True
                _Place(self, ticket).work()
            else:
                self.leave(ticket, seconds=0.0)
            del ticket, work  # an image may hang on them while this thread waits

    def _next(self) -> Ticket[Work[Any]] | None:
        with self._lock:
            while not self._is_closed:
                ticket = self._queue.take()
                if ticket is not None:
                    return ticket
                self._work_came.wait(READER_PRESENCE_SECONDS if self._queue else None)
            return None

    def leave(self, ticket: Ticket[Work[Any]], *, seconds: float, is_slow: bool = False) -> None:
        """Free the place of a call that is done; the worker that calls it looks for the next one."""
        with self._lock:
            self._queue.finish(ticket, seconds=seconds, is_slow=is_slow)

    def put_back(self, ticket: Ticket[Work[Any]], *, seconds: float) -> None:
        """Free the place of a call that was stopped, and let it wait for a slow one."""
        with self._lock:
            self._queue.put_back(ticket, seconds=seconds)
            self._work_came.notify()  # two may begin: one in the place that is free, and this one if a slow one is
            closed = self._queue.drain() if self._is_closed else []
        for each in closed:
            each.item.future.set_exception(_closed())

    def slow_down(self, ticket: Ticket[Work[Any]], child: DecoderChild) -> bool:
        """Move a call with its child to a slow place if one is free, and return whether it may go on."""
        with self._lock:
            may_go_on = self._queue.slow_down(ticket)
            if ticket.pace is Pace.SLOW:
                child.slow_down()
                self._work_came.notify()  # a quick place is free
                self._wakeups.put(True)  # and a new spare child is needed
        return may_go_on

    def take_child(self, pace: Pace, deadline: float) -> DecoderChild:
        """Take a child, waiting for one until a moment of the monotonic clock.

        The one used last comes first: it has the warmest caches.

        Raises:
            BackendUnavailableError: If there is none until then, or they do not start, or the pool is closed.
        """
        with self._lock:
            while not self._is_closed:
                for child in reversed(self._idle):
                    if child.is_slow is (pace is Pace.SLOW):
                        self._idle.remove(child)
                        return child
                if self._is_failing:
                    raise unavailable("the image decoder does not start")
                if pace is Pace.SLOW and not self._is_slow_wanted:
                    self._is_slow_wanted = True
                    self._wakeups.put(True)
                if not self._child_came.wait(max(0.0, deadline - time.monotonic())):
                    raise unavailable("no image decoder is free")
        raise _closed()

    def give_back(self, child: DecoderChild, *, is_reusable: bool) -> None:
        """Let others take a child, or have it ended, and replaced if it is needed.

        An image that moves to a slow place takes its child there, so one that stood there idle may be too many.
        """
        with self._lock:
            is_surplus = child.is_slow and sum(each.is_slow for each in self._alive) > self._places
            if is_reusable and not is_surplus:
                self._idle.append(child)
                self._child_came.notify_all()
                return
        self._wakeups.put(child)

    @property
    def is_closed(self) -> bool:
        """Whether the children were ended."""
        return self._is_closed

    def _keep(self) -> None:
        """Start children, replace the lost ones, and end all at last. Runs in the keeper."""
        wakeup: DecoderChild | bool = True
        while wakeup is not False:
            if isinstance(wakeup, DecoderChild):
                self._forget(wakeup)
            are_all_started = self._start_missing()
            try:
                wakeup = self._wakeups.get(timeout=None if are_all_started else RETRY_SECONDS)
            except queue.Empty:
                wakeup = True
        for child in list(self._alive):
            self._forget(child)
        if self._server is not None:
            self._server.end()

    def _start_missing(self) -> bool:
        """Start what is missing; return False if it cannot be started now."""
        while (missing := self._missing()) is not None:
            child = self._launched()
            with self._lock:
                self._is_failing = child is None
                if child is not None:
                    if missing is Pace.SLOW:
                        child.slow_down()
                        self._is_slow_wanted = False
                    self._alive.add(child)
                    self._idle.insert(0, child)
                self._child_came.notify_all()
            if child is None:
                return False
        return True

    def _launched(self) -> DecoderChild | None:
        """Fork a child, after starting the fork server if there is none or the one there was is lost."""
        for _ in range(MOST_STARTS):
            if self._is_closed:
                return None
            try:
                if self._server is None:
                    self._server = ForkServer(self.limits)
                    self._note_refused(self._server.wait_until_ready())
                return DecoderChild(self._server, self.limits)
            except (OSError, ChildLostError) as error:
                logger.error("decoder.start_failed", extra={"cause": type(error).__name__})
                return None
            except ForkServerLostError as error:
                logger.error("decoder.start_failed", extra={"cause": str(error)})
                if self._server is not None:
                    self._server.end()
                self._server = None
        return None

    def _missing(self) -> Pace | None:
        with self._lock:
            slow = sum(child.is_slow for child in self._alive)
            if self._is_closed:
                return None
            if len(self._alive) - slow < self._quick_wanted:
                return Pace.QUICK
            return Pace.SLOW if self._is_slow_wanted and slow < self._places else None

    def _forget(self, child: DecoderChild) -> None:
        with self._lock:
            self._alive.discard(child)
            self._is_slow_wanted |= child.is_slow
        child.end()


class _Place:
    """A place while one call has it: decodes by the pool's children, and looks after how long they take."""

    def __init__(self, pool: DecoderPool, ticket: Ticket[Work[Any]]) -> None:
        self._pool = pool
        self._ticket = ticket
        self._seconds = 0.0
        self._longest = 0.0

    def work(self) -> None:
        """Make the call, free the place, and settle the call's future."""
        pool, ticket, future = self._pool, self._ticket, self._ticket.item.future
        try:
            result = ticket.item.call(self)
        except _StoppedError:
            if ticket.is_withdrawn:
                self._leave()
                future.set_exception(unavailable("nobody waits for the image any more"))
            else:
                pool.put_back(ticket, seconds=self._seconds)
        except BaseException as error:  # noqa: BLE001 - whoever awaits the future gets it
            self._leave()
            future.set_exception(error)
        else:
            self._leave()
            future.set_result(result)

    def decode(self, image: EncodedImage, recipe: Preprocessing) -> DecodedImage:
        """Decode an image and prepare it for a model; see `DecoderPool.decode`."""
        if recipe.crop_size > MAX_CROP_SIZE:
            raise ValueError(f"crop_size must be at most {MAX_CROP_SIZE}")
        return self._asked(image, lambda child, watch: child.ask(image, recipe, watch))

    def picture(self, image: EncodedImage) -> UInt8Array:
        """Decode an image for people to look at; see `DecoderPool.picture`."""
        return self._asked(image, lambda child, watch: child.ask_for_picture(image, watch))

    def _leave(self) -> None:
        is_slow = self._longest > self._pool.quick_seconds
        self._pool.leave(self._ticket, seconds=self._seconds, is_slow=is_slow)

    def _asked(self, image: EncodedImage, ask: Callable[[DecoderChild, Watch], Reply | Failure]) -> Reply:
        field = field_of(image)
        self._pool.limits.check_length(image.data, field=field)
        deadline = time.monotonic() + self._pool.limits.wall_seconds
        kills = 0
        while kills < MOST_KILLS:
            try:
                reply = self._attempt(ask, deadline, field=field)
            except ChildLostError as error:
                kills += error.loss is Loss.KILLED
                continue
            if isinstance(reply, Failure):
                logger.info("image.refused", extra={"reason": reply.error.reason, "cause": reply.cause})
                raise reply.error
            return reply
        raise unavailable("the image decoder was killed twice")

    def _attempt(
        self, ask: Callable[[DecoderChild, Watch], Reply | Failure], deadline: float, *, field: str
    ) -> Reply | Failure:
        """Let a child try; raises `ChildLostError` only if it was killed from outside, or had ended before."""
        child = self._pool.take_child(self._ticket.pace, deadline)
        before, is_reusable = child.cpu_seconds(), False
        try:
            reply = ask(child, self._watch(child, before, deadline))
            is_reusable = not (isinstance(reply, Failure) and reply.last)
        except ChildLostError as error:
            logger.warning("decoder.lost", extra={"cause": error.cause})
            if error.loss in (Loss.KILLED, Loss.GONE):
                raise
            raise _refusal(error.loss, child, field=field) from error
        except _TimedOutError as error:
            used = child.cpu_seconds() - before
            logger.warning(
                "decoder.lost", extra={"cause": f"took {used:.1f} of processor seconds until the time limit"}
            )
            if used >= child.granted_seconds:
                raise _refusal(Loss.OUT_OF_TIME, child, field=field) from error
            raise _too_busy(self._pool.limits.wall_seconds, used) from error
        finally:
            self._charge(child.cpu_seconds() - before)
            self._pool.give_back(child, is_reusable=is_reusable)
        return reply

    def _charge(self, used: float) -> None:
        self._longest = max(self._longest, used)
        self._seconds += used

    def _watch(self, child: DecoderChild, before: float, deadline: float) -> Watch:
        """Return what looks after an image from time to time, beginning now."""
        pool, ticket, began, looks = self._pool, self._ticket, time.monotonic(), 0

        def look() -> float:
            nonlocal looks
            now, looks = time.monotonic(), looks + 1
            if now >= deadline:
                raise _TimedOutError
            if looks == 1:
                return min(pool.quick_seconds, deadline - now)
            if ticket.is_withdrawn:
                raise _StoppedError
            used = child.cpu_seconds() - before
            is_long = used >= pool.quick_seconds or now - began >= QUICK_WALL_FACTOR * pool.quick_seconds
            if is_long and ticket.pace is Pace.QUICK and not pool.slow_down(ticket, child):
                raise _StoppedError
            return min(max(pool.quick_seconds - used, SHORTEST_LOOK_SECONDS), deadline - now)

        return look


def _has_many_scans(data: bytes) -> bool:
    """Return whether a file is a JPEG of so many scans that it may be expected to take long, though it is short."""
    return data.startswith(JPEG_MARK) and data.count(JPEG_SCAN_MARK, 0, LOOKED_AT_BYTES) > MOST_QUICK_SCANS


def _refusal(loss: Loss, child: DecoderChild, *, field: str) -> InvalidImageError:
    """Return what to say of an image that its child did not survive."""
    if loss is Loss.OUT_OF_TIME:
        seconds = f"{child.granted_seconds:.3g}"
        message = f"decoding the image takes more than {seconds} seconds of processor time"
        return InvalidImageError(message, field=field, metadata={"decode_cpu_seconds": seconds})
    return InvalidImageError("the image broke its decoder", field=field)


def _too_busy(wall_seconds: float, used: float) -> BackendUnavailableError:
    message = (
        f"the image was not decoded within {wall_seconds:g} seconds, in which the decoder got {used:.1f} seconds of "
        "processor time; try again when the machine is less busy"
    )
    error = unavailable(message)
    error.metadata |= {"decode_seconds": f"{wall_seconds:g}", "decode_cpu_seconds": f"{used:.1f}"}
    return error


def unavailable(message: str) -> BackendUnavailableError:
    """Return the error for a decoder that may be there when one tries again."""
    return BackendUnavailableError(message, metadata={"backend": "image decoder"}, retry_delay_seconds=RETRY_SECONDS)


def _closed() -> BackendUnavailableError:
    return unavailable("the image decoder is closed")
