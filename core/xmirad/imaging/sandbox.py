"""Decoding in child processes, so that no file can harm the process that asks.

One thread, the keeper, starts all children, replaces lost ones and ends them at last: the kernel kills a child when the
thread that started it ends, so that thread must live as long as the pool. Whoever lost a child to a bad image is
answered at once; the next caller waits for the new child if no other is free.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from xmirad.errors import BackendUnavailableError, InvalidImageError
from xmirad.imaging.child import ChildLostError, DecoderChild
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.media import field_of
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.wire import MAX_CROP_SIZE, Failure
from xmirad.types import DecodedImage, EncodedImage, UInt8Array

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
Reply = TypeVar("Reply")


class DecoderPool:
    """A fixed number of decoder children. Thread-safe: as many images are decoded at once as there are children."""

    def __init__(self, limits: DecodeLimits, *, children: int) -> None:
        """Make a pool without starting it."""
        if children < 1:
            raise ValueError("children must be at least 1")
        self._limits = limits
        self._size = children
        self._changed = threading.Condition()
        self._alive: set[DecoderChild] = set()
        self._idle: list[DecoderChild] = []
        self._is_failing = False
        self._is_closed = False
        self._lost: queue.SimpleQueue[DecoderChild | None] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._keep, name="decoder-keeper", daemon=True)

    def start(self) -> None:
        """Start the children and wait until all are ready.

        Raises:
            BackendUnavailableError: If one does not start.
        """
        self._keeper.start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_failing or len(self._idle) == self._size)
            failing = self._is_failing
        if failing:
            self.close()
            raise _unavailable("the image decoder does not start")

    def decode(self, image: EncodedImage, recipe: Preprocessing) -> DecodedImage:
        """Decode an image and prepare it for a model. Blocks until a child is free.

        Raises:
            InvalidImageError: If it cannot be decoded, or not within the time limits.
            UnsupportedImageError: If no decoder for it is allowed.
            PayloadTooLargeError: If it exceeds a limit in bytes, pixels or memory.
            InvalidRequestError: If media type or frame do not fit the file.
            BackendUnavailableError: If the pool is closed or its children do not start.
        """
        if recipe.crop_size > MAX_CROP_SIZE:
            raise ValueError(f"crop_size must be at most {MAX_CROP_SIZE}")
        return self._asked(image, lambda child: child.ask(image, recipe))

    def picture(self, image: EncodedImage) -> UInt8Array:
        """Decode an image for people to look at: uint8 RGB, `[height, width, 3]`, at most 1,024 pixels a side.

        Raises:
            XmiradError: As `decode` does.
        """
        return self._asked(image, lambda child: child.ask_for_picture(image))

    def _asked(self, image: EncodedImage, ask: Callable[[DecoderChild], Reply | Failure]) -> Reply:
        field = field_of(image)
        self._limits.check_length(image.data, field=field)
        child = self._take()
        is_reusable = False
        try:
            reply = ask(child)
            is_reusable = not (isinstance(reply, Failure) and reply.last)
        except ChildLostError as error:
            raise self._lost_error(error, field=field) from error
        finally:
            self._give_back(child, is_reusable=is_reusable)
        if isinstance(reply, Failure):
            logger.info("image.refused", extra={"reason": reply.error.reason, "cause": reply.cause})
            raise reply.error
        return reply

    def close(self) -> None:
        """End all children. Who is still waiting gets an error. May be repeated."""
        with self._changed:
            self._is_closed = True
            for child in self._alive:
                child.kill()
            self._changed.notify_all()
        self._lost.put(None)
        if self._keeper.is_alive():
            self._keeper.join()

    def process_ids(self) -> list[int]:
        """Return the children's process ids, for supervision."""
        with self._changed:
            return sorted(child.pid for child in self._alive)

    def _take(self) -> DecoderChild:
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._is_failing or self._is_closed)
            if self._is_closed:
                raise _unavailable("the image decoder is closed")
            if not self._idle:
                raise _unavailable("the image decoder does not start")
            return self._idle.pop()

    def _give_back(self, child: DecoderChild, *, is_reusable: bool) -> None:
        if is_reusable:
            with self._changed:
                self._idle.append(child)
                self._changed.notify()
        else:
            self._lost.put(child)

    def _lost_error(self, error: ChildLostError, *, field: str) -> InvalidImageError | BackendUnavailableError:
        if self._is_closed:
            return _unavailable("the image decoder is closed")
        logger.warning("decoder.lost", extra={"cause": error.cause})
        return InvalidImageError(
            "the image broke its decoder or took too long to decode",
            field=field,
            metadata={"decode_seconds": f"{self._limits.wall_seconds:g}"},
        )

    def _keep(self) -> None:
        """Start children, replace the lost ones, and end all at last. Runs in the keeper."""
        self._start_children(self._size)
        while (lost := self._lost.get()) is not None:
            self._forget(lost)
            self._start_children(1)
        for child in list(self._alive):
            self._forget(child)

    def _start_children(self, count: int) -> None:
        """Start children side by side, trying again for as long as it takes."""
        while count and not self._is_closed:
            started = [child for child in [self._launch() for _ in range(count)] if child and self._is_ready(child)]
            count -= len(started)
            with self._changed:
                self._idle.extend(started)
                self._is_failing = count > 0
                self._changed.notify_all()
                if count:
                    self._changed.wait_for(lambda: self._is_closed, RETRY_SECONDS)

    def _launch(self) -> DecoderChild | None:
        try:
            child = DecoderChild(self._limits)
        except OSError as error:
            logger.error("decoder.start_failed", extra={"cause": type(error).__name__})
            return None
        with self._changed:
            self._alive.add(child)
        return child

    def _is_ready(self, child: DecoderChild) -> bool:
        try:
            child.wait_until_ready()
        except ChildLostError as error:
            logger.error("decoder.start_failed", extra={"cause": error.cause})
            self._forget(child)
            return False
        return True

    def _forget(self, child: DecoderChild) -> None:
        with self._changed:
            self._alive.discard(child)
        child.end()


def _unavailable(message: str) -> BackendUnavailableError:
    return BackendUnavailableError(message, metadata={"backend": "image decoder"}, retry_delay_seconds=RETRY_SECONDS)
