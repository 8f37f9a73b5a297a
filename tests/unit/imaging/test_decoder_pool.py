import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.images import many_scans
from support.slow_images import slow_image
from xmirad.errors import BackendUnavailableError, InvalidImageError, PayloadTooLargeError
from xmirad.imaging.decoding import decode_image
from xmirad.imaging.fork_server import Ended, ForkServer
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE, Interpolation, Preprocessing
from xmirad.imaging.sandbox import QUICK_SECONDS, DecoderPool
from xmirad.types import DecodedImage, EncodedImage

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


def is_decoded(pool: DecoderPool) -> bool:
    try:
        return pool.decode(encoded(), EFFICIENTNET_LITE).media_type == "image/png"
    except BackendUnavailableError:
        return False


def submit_for(pool: DecoderPool, caller: str, image: EncodedImage) -> Future[DecodedImage]:
    return pool.submit(lambda decoder: decoder.decode(image, EFFICIENTNET_LITE), image, caller=caller).item.future


def decode_for(pool: DecoderPool, caller: str, image: EncodedImage) -> DecodedImage:
    return submit_for(pool, caller, image).result(PATIENCE_SECONDS)


def is_nice(pid: int) -> bool:
    return os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)


def cpu_seconds_of(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def stop_children(pool: DecoderPool) -> None:
    for pid in pool.process_ids():
        os.kill(pid, signal.SIGSTOP)


@contextmanager
def killing(pool: DecoderPool) -> Iterator[None]:
    """Kill the children again and again."""
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.02):
            for pid in pool.process_ids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        ended.set()
        killer.join()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def start_pool() -> Iterator[Callable[..., DecoderPool]]:
    pools: list[DecoderPool] = []

    def start(
        limits: DecodeLimits | None = None, children: int = 1, quick_seconds: float = QUICK_SECONDS
    ) -> DecoderPool:
        pools.append(DecoderPool(limits or DecodeLimits(), children=children, quick_seconds=quick_seconds))
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


def test_an_image_of_too_much_processor_time_is_refused_and_the_next_one_is_decoded(
    start_pool: Callable[..., DecoderPool],
) -> None:
    pool = start_pool(DecodeLimits(cpu_seconds=0.2, cpu_seconds_per_megapixel=0.1))
    with pytest.raises(InvalidImageError, match=r"takes more than 0\.3 seconds of processor time") as caught:
        pool.decode(many_scans(side=1000), EFFICIENTNET_LITE)
    assert (caught.value.field, caught.value.metadata) == ("image", {"decode_cpu_seconds": "0.3"})
    pool.decode(encoded(), EFFICIENTNET_LITE)


def test_an_image_that_finds_the_machine_busy_may_be_tried_again(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(DecodeLimits(wall_seconds=0.5))
    stop_children(pool)  # as if other processes had every processor
    with pytest.raises(BackendUnavailableError, match=r"not decoded within 0\.5 seconds") as caught:
        pool.decode(encoded(), EFFICIENTNET_LITE)
    assert caught.value.metadata["backend"] == "image decoder"
    assert caught.value.metadata["decode_seconds"] == "0.5"
    assert caught.value.retry_delay_seconds
    wait_until(lambda: is_decoded(pool))


def test_an_image_may_take_processor_time_by_its_size() -> None:
    limits = DecodeLimits()
    seconds = [limits.processor_seconds(pixels) for pixels in (0, 4_000_000, limits.max_pixels)]
    assert seconds == [2.0, 3.0, 12.0]
    assert limits.most_processor_seconds == 12.0


def test_the_processor_time_fits_the_wall_clock() -> None:
    limits = DecodeLimits(wall_seconds=6.0)
    assert limits.processor_seconds(limits.max_pixels) == pytest.approx(4.8)


def test_an_image_that_takes_too_much_memory_is_refused_and_the_next_one_is_decoded(
    start_pool: Callable[..., DecoderPool],
) -> None:
    memory_bytes = 320 << 20
    pool = start_pool(DecodeLimits(memory_bytes=memory_bytes))
    with pytest.raises(PayloadTooLargeError) as caught:
        pool.decode(slow_png(6000), EFFICIENTNET_LITE)
    assert (caught.value.field, caught.value.metadata) == ("image", {"decode_memory_bytes": str(memory_bytes)})
    pool.decode(encoded(), EFFICIENTNET_LITE)


def test_a_child_that_was_killed_costs_its_caller_nothing(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool()
    pool.decode(encoded(), EFFICIENTNET_LITE)
    killed = pool.process_ids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    pool.decode(encoded(), EFFICIENTNET_LITE)
    wait_until(lambda: len(pool.process_ids()) == 2 and not set(killed) & set(pool.process_ids()))


def test_children_that_are_killed_again_and_again_are_unavailable(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool()
    with killing(pool), pytest.raises(BackendUnavailableError, match="killed twice"):
        pool.decode(many_scans(), EFFICIENTNET_LITE)


def test_a_child_that_crashes_has_an_image_to_blame(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(quick_seconds=10.0)
    decoding = submit_for(pool, "", slow_image(0))
    wait_until(lambda: any(cpu_seconds_of(pid) > 0.02 for pid in pool.process_ids()))
    os.kill(max(pool.process_ids(), key=cpu_seconds_of), signal.SIGSEGV)
    with pytest.raises(InvalidImageError, match="broke its decoder"):
        decoding.result(PATIENCE_SECONDS)


def test_a_spare_child_stands_ready_for_the_next_caller(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(DecodeLimits(cpu_seconds=0.05, cpu_seconds_per_megapixel=0.0), quick_seconds=10.0)
    wait_until(lambda: len(pool.process_ids()) == 2)
    before = pool.process_ids()
    with pytest.raises(InvalidImageError):
        decode_for(pool, "slow", slow_image(0))
    decode_for(pool, "quick", encoded())
    assert len(set(before) & set(pool.process_ids())) == 1


def test_one_caller_waits_for_no_slow_image_of_another(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(quick_seconds=0.05)
    many = [submit_for(pool, "slow", slow_image(seed, size=5000)) for seed in range(6)]
    wait_until(lambda: any(is_nice(pid) for pid in pool.process_ids()))
    done = sum(each.done() for each in many)
    decode_for(pool, "quick", encoded())
    assert sum(each.done() for each in many) <= done + 1
    for each in many:
        assert each.result(PATIENCE_SECONDS).media_type == "image/png"


def test_an_image_that_is_stopped_for_another_caller_is_decoded_later(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(quick_seconds=0.05)
    first, second = (submit_for(pool, f"slow {number}", slow_image(number, size=5000)) for number in range(2))
    decode_for(pool, "quick", encoded())
    assert not (first.done() and second.done())
    for each in (first, second):
        assert each.result(PATIENCE_SECONDS).geometry.original_width == 5000


def test_a_short_file_of_many_scans_never_gets_a_quick_place(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(DecodeLimits(cpu_seconds=0.2, cpu_seconds_per_megapixel=0.0))
    quick = pool.process_ids()
    with pytest.raises(InvalidImageError):
        pool.decode(many_scans(), EFFICIENTNET_LITE)
    assert set(quick) <= set(pool.process_ids())


def test_an_image_that_nobody_waits_for_any_more_frees_its_place(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(quick_seconds=0.05)
    image = many_scans()
    tickets = [pool.submit(lambda decoder: decoder.decode(image, EFFICIENTNET_LITE), image) for _ in range(2)]
    wait_until(tickets[0].item.future.running)
    for ticket in reversed(tickets):
        pool.withdraw(ticket)
    assert tickets[1].item.future.cancelled()
    assert isinstance(tickets[0].item.future.exception(ANSWER_SECONDS), BackendUnavailableError)
    assert is_decoded(pool)


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


def test_slow_images_of_ever_new_callers_do_not_add_children(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(quick_seconds=0.01)
    for number in range(5):
        decode_for(pool, f"caller {number}", slow_image(number, size=2000))
    decode_for(pool, "last", encoded())
    wait_until(lambda: len(pool.process_ids()) <= 3)  # a quick one, a spare one, and a slow one


def test_close_while_an_image_is_decoded_leaves_its_child_to_who_decodes_until_it_is_told(
    start_pool: Callable[..., DecoderPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = start_pool(quick_seconds=10.0)
    wait_for_end = ForkServer.wait_for_end
    asked: list[int] = []

    def wait_later(server: ForkServer, pid: int) -> Ended:
        asked.append(pid)
        time.sleep(0.3)
        return wait_for_end(server, pid)

    monkeypatch.setattr(ForkServer, "wait_for_end", wait_later)
    decoding = submit_for(pool, "", many_scans())
    wait_until(lambda: any(cpu_seconds_of(pid) > 0.02 for pid in pool.process_ids()))
    pool.close()
    with pytest.raises(BackendUnavailableError):
        decoding.result(0)
    assert sorted(asked) == sorted(set(asked))


def test_close_leaves_no_process_and_refuses_more_images(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool(children=2)
    children = pool.process_ids()
    pool.close()
    assert len(children) >= 2
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


def test_a_pool_whose_children_do_not_start_says_so() -> None:
    pool = DecoderPool(DecodeLimits(memory_bytes=512 << 20, max_bytes=500 << 20), children=1)
    with pytest.raises(BackendUnavailableError, match="does not start"):
        pool.start()
    assert pool.process_ids() == []


def test_a_pool_outlives_the_process_that_its_children_are_forked_from(start_pool: Callable[..., DecoderPool]) -> None:
    pool = start_pool()
    before = pool.process_ids()
    parent = int(Path(f"/proc/{before[0]}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in before))
    wait_until(lambda: is_decoded(pool))


def test_a_pool_without_children_is_refused() -> None:
    with pytest.raises(ValueError, match="children"):
        DecoderPool(DecodeLimits(), children=0)
