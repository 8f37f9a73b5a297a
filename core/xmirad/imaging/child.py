"""One decoder child as its parent sees it."""

import fcntl
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

import numpy as np

from xmirad.imaging.fork_server import START_SECONDS, Ended, ForkServer, ForkServerLostError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.wire import (
    GRANTED,
    IMAGE_OFFSET,
    MAX_MESSAGE_BYTES,
    PIXELS_BYTES,
    READY,
    Failure,
    Request,
    picture_size_from_bytes,
    reply_from_bytes,
)
from xmirad.types import DecodedImage, EncodedImage, UInt8Array


class Loss(StrEnum):
    """Why a child is lost."""

    BROKEN = "broken"
    """It crashed, ended or answered nonsense: the image did that."""
    OUT_OF_TIME = "out of processor time"
    """The image took more processor time than it may."""
    KILLED = "killed"
    """Someone else ended it: the system, for want of memory, or an operator."""
    GONE = "gone"
    """It had ended before the image came."""


_KEPT_BYTES = 32 << 20
"""Shared memory of larger images is given back; filling it anew costs more than copying into it."""
SLOW_NICENESS = 2
"""Two thirds of the processor time of a quick child beside it; with less, good images starve on busy machines."""
_CPUCLOCK_OF_PROCESS = 2
"""Makes a clock of a process id: CPUCLOCK_SCHED of `clock_getcpuclockid`, which Python has for threads only."""
_LOSSES: dict[int, Loss] = {
    signal.SIGPROF: Loss.OUT_OF_TIME,
    signal.SIGXCPU: Loss.OUT_OF_TIME,
    signal.SIGKILL: Loss.KILLED,
    signal.SIGTERM: Loss.KILLED,
}
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class ChildLostError(Exception):
    """The child ended, or answered nonsense. It must be ended and replaced."""

    def __init__(self, cause: str, loss: Loss = Loss.BROKEN) -> None:
        """Keep what happened, for the log, and what it means."""
        super().__init__(cause)
        self.cause = cause
        self.loss = loss


Watch = Callable[[], float]
"""Looks after an image that takes a while: returns after how many seconds to look again, or raises to give it up."""


class DecoderChild:
    """A child process, and the memory and socket shared with it. Used by one thread at a time.

    Attributes:
        pid: Its process id.
        is_slow: Whether it runs at a lower priority than this process, for good.
    """

    def __init__(self, server: ForkServer, limits: DecodeLimits) -> None:
        """Fork it, and wait the few milliseconds until it is ready.

        Raises:
            ChildLostError: If it does not start, for example because it may take too little memory.
            ForkServerLostError: If the fork server ended or does not answer.
            OSError: If there are no more files or processes.
        """
        self._server = server
        self._limits = limits
        self.is_slow = False
        self._cpu_seconds = 0.0
        self._is_ended = False
        self._status: int | None = None
        memory = os.memfd_create("xmirad-decoder", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._channel, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            os.ftruncate(memory, IMAGE_OFFSET + limits.max_bytes)
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
            self._shared = mmap.mmap(memory, IMAGE_OFFSET + limits.max_bytes)
            self.pid = server.fork(child_end.fileno(), memory)
            self._handle = os.pidfd_open(self.pid)
        except BaseException:
            self._channel.close()
            raise
        finally:
            child_end.close()
            os.close(memory)
        self._wait_until_ready()

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used so far."""
        if self._status is None:
            with suppress(OSError):  # it is ending
                self._cpu_seconds = time.clock_gettime(~self.pid << 3 | _CPUCLOCK_OF_PROCESS)
        return self._cpu_seconds

    def slow_down(self) -> None:
        """Let the process have a processor when others do not want it; it cannot be made quick again."""
        self.is_slow = True
        with suppress(ProcessLookupError):  # whoever asks it next finds out
            present = os.getpriority(os.PRIO_PROCESS, self.pid)
            os.setpriority(os.PRIO_PROCESS, self.pid, present + SLOW_NICENESS)

    def ask(self, image: EncodedImage, recipe: Preprocessing, watch: Watch) -> DecodedImage | Failure:
        """Let the child decode an image.

        Raises:
            ChildLostError: If it does not answer.
            Exception: What `watch` raises; the child is then still at work.
        """
        message = self._answer(image, recipe, watch)
        pixels = self._pixels(recipe.crop_size, recipe.crop_size)
        self._give_memory_back(image)
        with _sense():
            return reply_from_bytes(message, pixels)

    def ask_for_picture(self, image: EncodedImage, watch: Watch) -> UInt8Array | Failure:
        """Let the child decode an image for people to look at.

        Raises:
            ChildLostError: If it does not answer.
            Exception: What `watch` raises; the child is then still at work.
        """
        message = self._answer(image, None, watch)
        with _sense():
            size = picture_size_from_bytes(message)
        picture = size if isinstance(size, Failure) else self._pixels(*size)
        self._give_memory_back(image)
        return picture

    @property
    def granted_seconds(self) -> float:
        """The processor time that the image under way may take, as far as the child has read its header."""
        [granted] = GRANTED.unpack_from(self._shared, PIXELS_BYTES)
        least, most = self._limits.processor_seconds(0), self._limits.most_processor_seconds
        return min(granted, most) if granted >= least else least  # a child is not trusted: it may be anything

    def end(self) -> None:
        """Kill the process and give everything back. May be repeated."""
        if not self._is_ended:
            self._wait()
            os.close(self._handle)
            self._channel.close()
            self._shared.close()
            self._is_ended = True

    def kill(self) -> None:
        """Kill the process, from any thread; who waits for its answer then learns that it is lost."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def _wait_until_ready(self) -> None:
        self._channel.settimeout(START_SECONDS)
        try:
            is_ready = self._receive() == READY
        except (TimeoutError, ChildLostError):
            is_ready = False
        if not is_ready:
            self.end()
            raise ChildLostError("did not start")

    def _answer(self, image: EncodedImage, recipe: Preprocessing | None, watch: Watch) -> bytes:
        length = len(image.data)
        self._shared[IMAGE_OFFSET : IMAGE_OFFSET + length] = image.data
        try:
            self._channel.send(Request(length, image.media_type, image.frame, recipe).to_bytes())
        except OSError as error:  # it ended before this image came
            raise ChildLostError("ended before the request", Loss.GONE) from error
        while True:
            self._channel.settimeout(watch())
            with suppress(TimeoutError):
                return self._receive()

    def _pixels(self, height: int, width: int) -> UInt8Array:
        return np.frombuffer(self._shared, np.uint8, count=height * width * 3).reshape(height, width, 3).copy()

    def _give_memory_back(self, image: EncodedImage) -> None:
        if len(image.data) > _KEPT_BYTES:
            self._shared.madvise(mmap.MADV_REMOVE)

    def _receive(self) -> bytes:
        try:
            message = self._channel.recv(MAX_MESSAGE_BYTES)
        except ConnectionResetError:  # it ended without having read what was sent
            message = b""
        if not message:
            status = self._wait()
            raise ChildLostError(f"ended with status {status}", _LOSSES.get(-status, Loss.BROKEN))
        return message

    def _wait(self) -> int:
        """Return the status that it ended with; kill it if it only pretends to have ended."""
        if self._status is None:
            self.kill()
            try:
                ended = self._server.wait_for_end(self.pid)
            except ForkServerLostError:  # with which the child was killed
                ended = Ended(-signal.SIGKILL, self._cpu_seconds)
            self._status, self._cpu_seconds = ended.status, ended.cpu_seconds
        return self._status


@contextmanager
def _sense() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChildLostError("answered nonsense") from error
