"""One decoder child as its parent sees it."""

import fcntl
import mmap
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.wire import (
    MAX_MESSAGE_BYTES,
    PIXELS_BYTES,
    READY,
    Failure,
    Request,
    limits_to_text,
    picture_size_from_bytes,
    reply_from_bytes,
)
from xmirad.types import DecodedImage, EncodedImage, UInt8Array

START_SECONDS = 30.0
_KEPT_BYTES = 32 << 20
"""Shared memory of larger images is given back; filling it anew costs more than copying into it."""
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Keep up to 32 MiB between images: without this a tenth of the time goes into page faults.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}


class ChildLostError(Exception):
    """The child did not answer in time, ended, or answered nonsense. It must be ended and replaced."""

    def __init__(self, cause: str) -> None:
        """Keep what happened, for the log."""
        super().__init__(cause)
        self.cause = cause


class DecoderChild:
    """A child process, and the memory and socket shared with it. Used by one thread at a time.

    The child is killed by the kernel when the thread that made this object ends.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        """Start the process; it is not ready yet.

        Raises:
            OSError: If it cannot be started.
        """
        self._limits = limits
        size = PIXELS_BYTES + limits.max_bytes
        memory = os.memfd_create("xmirad-decoder", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._channel, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            os.ftruncate(memory, size)
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
            self._shared = mmap.mmap(memory, size)
            self._process = _start(child_end.fileno(), memory, limits)
        except BaseException:
            self._channel.close()
            raise
        finally:
            child_end.close()
            os.close(memory)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait for the child to be able to decode.

        Raises:
            ChildLostError: If it ends or takes more than 30 seconds.
        """
        if self._receive(START_SECONDS) != READY:
            raise ChildLostError("did not start")

    def ask(self, image: EncodedImage, recipe: Preprocessing) -> DecodedImage | Failure:
        """Let the child decode an image.

        Raises:
            ChildLostError: If it does not answer within `wall_seconds`.
        """
        message = self._answer(image, recipe)
        pixels = self._pixels(recipe.crop_size, recipe.crop_size)
        self._give_memory_back(image)
        with _sense():
            return reply_from_bytes(message, pixels)

    def ask_for_picture(self, image: EncodedImage) -> UInt8Array | Failure:
        """Let the child decode an image for people to look at.

        Raises:
            ChildLostError: If it does not answer within `wall_seconds`.
        """
        message = self._answer(image, None)
        with _sense():
            size = picture_size_from_bytes(message)
        picture = size if isinstance(size, Failure) else self._pixels(*size)
        self._give_memory_back(image)
        return picture

    def end(self) -> None:
        """Kill the process and give everything back. May be repeated."""
        self._process.kill()
        self._process.wait()
        self._channel.close()
        self._shared.close()

    def kill(self) -> None:
        """Kill the process, from any thread; who waits for its answer then learns that it is lost."""
        self._process.kill()

    def _answer(self, image: EncodedImage, recipe: Preprocessing | None) -> bytes:
        length = len(image.data)
        self._shared[PIXELS_BYTES : PIXELS_BYTES + length] = image.data
        try:
            self._channel.send(Request(length, image.media_type, image.frame, recipe).to_bytes())
        except OSError as error:
            raise ChildLostError("ended before the request") from error
        return self._receive(self._limits.wall_seconds)

    def _pixels(self, height: int, width: int) -> UInt8Array:
        return np.frombuffer(self._shared, np.uint8, count=height * width * 3).reshape(height, width, 3).copy()

    def _give_memory_back(self, image: EncodedImage) -> None:
        if len(image.data) > _KEPT_BYTES:
            self._shared.madvise(mmap.MADV_REMOVE)

    def _receive(self, seconds: float) -> bytes:
        self._channel.settimeout(seconds)
        begin = time.monotonic()
        try:
            message = self._channel.recv(MAX_MESSAGE_BYTES)
        except TimeoutError as error:
            raise ChildLostError(f"took more than {time.monotonic() - begin:.1f} seconds") from error
        except OSError as error:
            raise ChildLostError("ended") from error
        if not message:
            raise ChildLostError(f"ended with status {self._process.wait()}")
        return message


@contextmanager
def _sense() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChildLostError("answered nonsense") from error


def _start(channel: int, memory: int, limits: DecodeLimits) -> subprocess.Popen[bytes]:
    """Start the program with nothing of this process's environment, which may hold secrets."""
    program = [sys.executable, "-I", "-m", "xmirad.imaging.sandbox_child"]
    arguments = [str(channel), str(memory), str(os.getpid()), limits_to_text(limits)]
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return subprocess.Popen(
        program + arguments,
        env=_ENVIRONMENT | ({"LD_LIBRARY_PATH": library_path} if library_path else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(channel, memory),
        cwd="/",
        start_new_session=True,  # an interrupt from the keyboard is for the parent, which may still need its children
    )
