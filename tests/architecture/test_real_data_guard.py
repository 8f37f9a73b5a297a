import os
from pathlib import Path

import pytest

VARIABLE = "XMIRAD_TEST_DATA"


@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} is not set: tests on real images are skipped")
def test_the_folder_of_real_images_is_readable_when_it_is_named() -> None:
    folder = Path(os.environ[VARIABLE])
    for name in ("covidx", "isic2017"):
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        assert files, f"{VARIABLE} names {folder}, but {name}/ has no files there"
        assert files[0].read_bytes()
