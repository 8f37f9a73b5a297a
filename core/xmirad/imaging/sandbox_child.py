"""The program of a decoder child: `python -m xmirad.imaging.sandbox_child SOCKET MEMORY PARENT LIMITS`.

Not for people: `sandbox.DecoderPool` starts it.
"""

import importlib
import importlib.util
import mmap
import os
import socket
import sys

from PIL import Image

from xmirad.errors import XmiradError
from xmirad.imaging.confinement import allow_cpu_seconds, confine
from xmirad.imaging.decoding import cause_of, decode_image, decode_picture
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.wire import (
    MAX_MESSAGE_BYTES,
    PIXELS_BYTES,
    READY,
    Failure,
    Request,
    limits_from_text,
    picture_to_bytes,
    success_to_bytes,
)
from xmirad.types import EncodedImage

STANDARD_ERROR = 2


def main(arguments: list[str]) -> None:
    """Serve one decoding after the other until the asking process closes its end."""
    channel_number, memory_number, parent, limits_text = arguments
    limits = limits_from_text(limits_text)
    confine(memory_bytes=limits.memory_bytes, parent=int(parent))
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    shared = mmap.mmap(int(memory_number), PIXELS_BYTES + limits.max_bytes)
    with socket.socket(fileno=int(channel_number)) as channel:
        _warm_up()
        channel.send(READY)
        _silence_libraries()
        last = False
        while not last and (message := channel.recv(MAX_MESSAGE_BYTES)):
            allow_cpu_seconds(limits.cpu_seconds)
            reply, last = _answer(Request.from_bytes(message), shared, limits)
            channel.send(reply)


def _answer(request: Request, shared: mmap.mmap, limits: DecodeLimits) -> tuple[bytes, bool]:
    """Decode one image and return the reply, and whether this process should end after it."""
    data = shared[PIXELS_BYTES : PIXELS_BYTES + request.length]
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
