import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bad_images import BAD_IMAGES, good_image
from xmirad.errors import XmiradError
from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.preprocessing import EFFICIENTNET_LITE
from xmirad.imaging.sandbox import DecoderPool

ANSWER_SECONDS = 5.0
GROWTH_BYTES = 64 << 20
PAGE_BYTES = 4096
INTERNALS = ("Error:", "Traceback", "/", "PIL", "pydicom", "gdcm", "openjpeg")


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(DecodeLimits(), children=1)
    pool.start()
    yield pool
    pool.close()


def resident_bytes(pool: DecoderPool) -> int:
    """Return the memory of the child that has most; the other one is spare."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pool.process_ids())
    return max(pages) * PAGE_BYTES


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_gets_its_error_and_the_next_good_one_is_decoded(pool: DecoderPool, name: str) -> None:
    bad = BAD_IMAGES[name]
    begin = time.monotonic()
    with pytest.raises(XmiradError) as caught:
        pool.decode(bad.image, EFFICIENTNET_LITE)
    assert time.monotonic() - begin < ANSWER_SECONDS
    assert (type(caught.value), caught.value.field) == (bad.error, bad.field)
    assert not any(word in caught.value.message for word in INTERNALS)
    assert pool.decode(good_image(), EFFICIENTNET_LITE).media_type == "image/png"


def test_bad_images_do_not_make_a_child_grow(pool: DecoderPool) -> None:
    pool.decode(good_image(), EFFICIENTNET_LITE)
    before = resident_bytes(pool)
    for _ in range(3):
        for bad in BAD_IMAGES.values():
            with pytest.raises(bad.error):
                pool.decode(bad.image, EFFICIENTNET_LITE)
    pool.decode(good_image(), EFFICIENTNET_LITE)
    assert resident_bytes(pool) - before < GROWTH_BYTES


def test_the_corpus_is_small_and_varied() -> None:
    assert len(BAD_IMAGES) >= 70
    assert max(len(bad.image.data) for bad in BAD_IMAGES.values()) < 100_000
