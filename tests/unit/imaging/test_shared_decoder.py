import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar

import pytest

from benchmarks.images import TINY_PNG, Images
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE
from xmirad.imaging.sandbox import Decoder, DecoderPool
from xmirad.imaging.shared_decoder import SharedDecoder
from xmirad.lanes import Priority, Turns
from xmirad.types import EncodedImage

WAIT_SECONDS = 20.0
caller: ContextVar[str] = ContextVar("caller", default="")


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    started = DecoderPool(DecodeLimits(), children=1)
    started.start()
    yield started
    started.close()


@pytest.fixture
def image() -> EncodedImage:
    return Images(TINY_PNG, seed=0).take(1)[0]


@pytest.mark.parametrize("priority", Priority)
async def test_a_call_decodes_in_another_thread_and_sees_its_context(
    pool: DecoderPool, image: EncodedImage, priority: Priority
) -> None:
    caller.set("somebody")

    def decode(decoder: Decoder) -> tuple[str, str, int]:
        return decoder.decode(image, EFFICIENTNET_LITE).media_type, caller.get(), threading.get_ident()

    media_type, seen, thread = await SharedDecoder(pool, turns=Turns(1)).run(priority, image, decode)
    assert (media_type, seen) == ("image/png", "somebody")
    assert thread != threading.get_ident()


async def test_callers_take_turns(pool: DecoderPool, image: EncodedImage) -> None:
    shared, order, opened = SharedDecoder(pool, caller=caller.get), list[str](), threading.Event()

    async def ask(name: str) -> None:
        def decode(decoder: Decoder) -> None:
            decoder.decode(image, EFFICIENTNET_LITE)
            order.append(name)

        caller.set(name)
        await shared.run(Priority.INTERACTIVE, image, decode)

    gate = asyncio.create_task(shared.run(Priority.INTERACTIVE, image, lambda decoder: opened.wait(WAIT_SECONDS)))
    await asyncio.sleep(0)
    asked = [asyncio.create_task(ask(name)) for name in ("a", "a", "a", "b")]
    await asyncio.sleep(0)
    opened.set()
    await asyncio.gather(gate, *asked)
    assert order.index("b") < 2


async def test_who_cancels_leaves_the_queue(pool: DecoderPool, image: EncodedImage) -> None:
    shared, opened, called = SharedDecoder(pool), threading.Event(), threading.Event()
    gate = asyncio.create_task(shared.run(Priority.INTERACTIVE, image, lambda decoder: opened.wait(WAIT_SECONDS)))
    await asyncio.sleep(0)
    cancelled = asyncio.create_task(shared.run(Priority.INTERACTIVE, image, lambda decoder: called.set()))
    await asyncio.sleep(0)
    cancelled.cancel()
    with suppress(asyncio.CancelledError):
        await cancelled
    opened.set()
    await gate
    await shared.run(Priority.INTERACTIVE, image, lambda decoder: None)
    assert not called.is_set()


async def test_an_error_of_the_call_comes_to_whoever_awaits_it(pool: DecoderPool, image: EncodedImage) -> None:
    def fail(decoder: Decoder) -> None:
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        await SharedDecoder(pool).run(Priority.INTERACTIVE, image, fail)
