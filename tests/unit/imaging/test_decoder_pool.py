import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xmirad.errors import BackendUnavailableError, InvalidImageError, PayloadTooLargeError
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, Interpolation, Preprocessing
from xmirad.imaging.sandbox import DecoderPool
from xmirad.types import EncodedImage

PATIENCE_SECONDS = 20.0
ANSWER_SECONDS = 5.0


def encoded(width: int = 300, height: int = 260, seed: int = 0) -> EncodedImage:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((width, height)).save(buffer, "PNG")
    return EncodedImage(buffer.getvalue())


def slow_png(side: int) -> EncodedImage:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "PNG")
    return EncodedImage(buffer.getvalue())


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def decode_forever(pool: DecoderPool, image: EncodedImage) -> None:
    while True:
        pool.decode(image, EFFICIENTNET_LITE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def start_pool() -> Iterator[Callable[..., DecoderPool]]:
    pools: list[DecoderPool] = []

    def start(limits: DecodeLimits | None = None, children: int = 1) -> DecoderPool:
        pools.append(DecoderPool(limits or DecodeLimits(), children=children))
        pools[-1].start()
        return pools[-1]

    yield start
    for pool in pools:
        pool.close()


def test_a_child_decodes_what_this_process_decodes(start_pool: Callable[..., DecoderPool]) -> None:
    image = encoded()
    expected = decode_image(image, EFFICIENTNET_LITE, DecodeLimits())
    actual = start_pool().decode(image, EFFICIENTNET_LITE)
    np.testing.assert_array_equal(actual.pixels, expected.pixels)
    assert (actual.geometry, actual.media_type) == (expected.geometry, "image/png")


def test_many_threads_each_get_their_own_image(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(children=2)
    images = [encoded(seed=seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda image: pool.decode(image, EFFICIENTNET_LITE), images))
    for image, answer in zip(images, answers, strict=True):
        expected = decode_image(image, EFFICIENTNET_LITE, DecodeLimits())
        np.testing.assert_array_equal(answer.pixels, expected.pixels)


def test_an_image_that_takes_too_long_is_refused_and_the_next_one_is_decoded(
    start_pool: Callable[..., DecoderPool],
) -> None:
    pool = start_pool(DecodeLimits(wall_seconds=0.2))
    begin = time.monotonic()
    with pytest.raises(InvalidImageError) as caught:
        pool.decode(slow_png(6000), EFFICIENTNET_LITE)
    assert time.monotonic() - begin < ANSWER_SECONDS
    assert (caught.value.field, caught.value.metadata) == ("image", {"decode_seconds": "0.2"})
    pool.decode(encoded(), EFFICIENTNET_LITE)


def test_an_image_that_takes_too_much_memory_is_refused_and_the_next_one_is_decoded(
    start_pool: Callable[..., DecoderPool],
) -> None:
    memory_bytes = 256 << 20
    pool = start_pool(DecodeLimits(memory_bytes=memory_bytes))
    with pytest.raises(PayloadTooLargeError) as caught:
        pool.decode(slow_png(6000), EFFICIENTNET_LITE)
    assert (caught.value.field, caught.value.metadata) == ("image", {"decode_memory_bytes": str(memory_bytes)})
    pool.decode(encoded(), EFFICIENTNET_LITE)


def test_an_image_that_takes_too_much_processor_time_ends_its_child(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(DecodeLimits(cpu_seconds=-1))
    [before] = pool.process_ids()
    with pytest.raises(InvalidImageError):
        decode_forever(pool, slow_png(3000))
    wait_until(lambda: not is_running(before))
    wait_until(lambda: pool.process_ids() not in ([], [before]))


def test_a_killed_child_is_replaced(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool()
    [before] = pool.process_ids()
    os.kill(before, signal.SIGKILL)
    with pytest.raises(InvalidImageError):
        pool.decode(encoded(), EFFICIENTNET_LITE)
    pool.decode(encoded(), EFFICIENTNET_LITE)
    assert pool.process_ids() != [before]


def test_an_image_beyond_the_length_limit_never_reaches_a_child(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(DecodeLimits(max_bytes=1000))
    with pytest.raises(PayloadTooLargeError) as caught:
        pool.decode(EncodedImage(bytes(1001)), EFFICIENTNET_LITE)
    assert caught.value.metadata == {"max_image_bytes": "1000", "image_bytes": "1001"}


def test_a_large_crop_fits(start_pool: Callable[..., DecoderPool]) -> None:
    recipe = Preprocessing(1024, Interpolation.BILINEAR, 1024, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert start_pool().decode(encoded(), recipe).pixels.shape == (1024, 1024, 3)


def test_a_crop_beyond_the_shared_memory_is_refused(start_pool: Callable[..., DecoderPool]) -> None:
    recipe = Preprocessing(1025, Interpolation.BILINEAR, 1025, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="crop_size"):
        start_pool().decode(encoded(), recipe)


def test_close_leaves_no_process_and_refuses_more_images(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(children=2)
    children = pool.process_ids()
    pool.close()
    assert len(children) == 2
    assert not any(is_running(child) for child in children)
    with pytest.raises(BackendUnavailableError):
        pool.decode(encoded(), EFFICIENTNET_LITE)


def test_close_answers_who_is_waiting(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool()
    errors: list[BaseException] = []

    def decode() -> None:
        try:
            pool.decode(slow_png(6000), EFFICIENTNET_LITE)
        except BackendUnavailableError as error:
            errors.append(error)

    waiting = [threading.Thread(target=decode) for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(0.1)
    pool.close()
    for thread in waiting:
        thread.join(PATIENCE_SECONDS)
    assert len(errors) == 3


def test_a_pool_that_cannot_start_says_so() -> None:
    pool = DecoderPool(DecodeLimits(memory_bytes=1 << 20), children=1)
    with pytest.raises(BackendUnavailableError):
        pool.start()
    assert pool.process_ids() == []


def test_a_pool_without_children_is_refused() -> None:
    with pytest.raises(ValueError, match="children"):
        DecoderPool(DecodeLimits(), children=0)
