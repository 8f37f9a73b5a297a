"""The program of the fork server and of the decoder children that are forked from it.

`python -m xmirad.imaging.sandbox_child SOCKET PARENT LIMITS`, not for people: `fork_server.ForkServer` starts it.
"""

import gc
import importlib
import importlib.util
import json
import mmap
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from types import FrameType
from typing import NoReturn

from PIL import Image

from xmirad.errors import XmiradError
from xmirad.imaging.confinement import ProcessorTime, confine, die_with, shut_in
from xmirad.imaging.decoding import cause_of, decode_image, decode_picture
from xmirad.imaging.kernel_locks import Lock
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.wire import (
    FORK,
    GRANTED,
    IMAGE_OFFSET,
    MAX_MESSAGE_BYTES,
    PIXELS_BYTES,
    READY,
    Failure,
    Request,
    limits_from_text,
    picture_to_bytes,
    ready_message,
    success_to_bytes,
)
from xmirad.types import EncodedImage

STANDARD_ERROR = 2


def main(arguments: list[str]) -> None:
    """Load the decoders, then fork children until the asking process closes its end."""
    control_number, parent, limits_text = arguments
    limits = limits_from_text(limits_text)
    refused = confine(memory_bytes=limits.memory_bytes, parent=int(parent))
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    with socket.socket(fileno=int(control_number)) as control:
        _warm_up()
        children = _refused_to_children()
        # Where no socket can be made there is no network either.
        control.send(ready_message(children | refused if Lock.CALLS in children else children))
        _silence_libraries()
        gc.freeze()  # what is there stays shared with the children
        _fork_children(control, limits)


def _fork_children(control: socket.socket, limits: DecodeLimits) -> None:
    """Fork a child for each message, and report each one that ends."""
    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, _wake)
    server = os.getpid()
    while True:
        readable, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, MAX_MESSAGE_BYTES)
            _report_ended(control)
        if control.fileno() in readable:
            message, files, _, _ = socket.recv_fds(control, len(FORK), 2)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                for file in (control.detach(), woken, waking):
                    os.close(file)
                _be_child(server, files, limits)
            for file in files:
                os.close(file)
            control.send(json.dumps({"pid": pid}).encode())


def _wake(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing: Python writes to the wake-up file besides."""


def _report_ended(control: socket.socket) -> None:
    with suppress(ChildProcessError):  # there is none left
        while (ended := os.wait4(-1, os.WNOHANG))[0]:
            pid, status, usage = ended
            found = {"pid": pid, "status": os.waitstatus_to_exitcode(status)}
            control.send(json.dumps(found | {"cpu_seconds": usage.ru_utime + usage.ru_stime}).encode())


def _refused_to_children() -> frozenset[Lock]:
    """Let a child that ends at once find out what the kernel takes from children."""
    pid = os.fork()
    if pid == 0:
        refused = shut_in()
        os._exit(sum(1 << number for number, lock in enumerate(Lock) if lock in refused))
    bits = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return frozenset(lock for number, lock in enumerate(Lock) if bits & 1 << number)


def _be_child(server: int, files: Sequence[int], limits: DecodeLimits) -> NoReturn:
    """Decode until the asking process closes its end, then end without a word."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with(server)
        channel, memory = files
        shared = mmap.mmap(memory, IMAGE_OFFSET + limits.max_bytes)
        os.close(memory)
        with socket.socket(fileno=channel) as connected:
            shut_in()
            connected.send(READY)
            _decode_all(connected, shared, limits)
        os._exit(0)
    finally:
        os._exit(1)


def _decode_all(channel: socket.socket, shared: mmap.mmap, limits: DecodeLimits) -> None:
    time = ProcessorTime()
    bounding = _bounding(limits, time, shared)
    last = False
    while not last and (message := channel.recv(MAX_MESSAGE_BYTES)):
        time.begin(limits.processor_seconds(0), most=limits.most_processor_seconds)
        GRANTED.pack_into(shared, PIXELS_BYTES, time.granted)
        reply, last = _answer(Request.from_bytes(message), shared, bounding)
        time.end()
        channel.send(reply)


def _bounding(limits: DecodeLimits, time: ProcessorTime, shared: mmap.mmap) -> DecodeLimits:
    """Return limits that allow an image more processor time once its header says how large it is."""

    class Bounding(DecodeLimits):
        def check_size(self, width: int, height: int, *, field: str) -> None:
            DecodeLimits.check_size(self, width, height, field=field)
            time.grant(self.processor_seconds(width * height))
            GRANTED.pack_into(shared, PIXELS_BYTES, time.granted)

    return Bounding(**asdict(limits))


def _answer(request: Request, shared: mmap.mmap, limits: DecodeLimits) -> tuple[bytes, bool]:
    """Decode one image and return the reply, and whether this process should end after it."""
    data = shared[IMAGE_OFFSET : IMAGE_OFFSET + request.length]
    image = EncodedImage(data, request.media_type, request.frame)
    try:
        if request.recipe is None:
            picture = decode_picture(image, limits)
            shared[: picture.nbytes] = picture.tobytes()
            return picture_to_bytes(picture), False
        decoded = decode_image(image, request.recipe, limits)
    except XmiradError as error:
        exhausted = isinstance(error.__cause__, MemoryError | RecursionError)
        return Failure(error, cause_of(error), exhausted).to_bytes(), exhausted
    shared[: decoded.pixels.nbytes] = decoded.pixels.tobytes()
    return success_to_bytes(decoded), False


def _warm_up() -> None:
    """Load what the first images would otherwise wait for, at the cost of their time limit."""
    Image.preinit()
    importlib.import_module("xmirad.imaging.dicom.decode")
    if importlib.util.find_spec("pillow_heif"):
        importlib.import_module("pillow_heif")


def _silence_libraries() -> None:
    """Drop what C libraries print: it may quote the file, and nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STANDARD_ERROR)
    os.close(nowhere)


if __name__ == "__main__":
    main(sys.argv[1:])
