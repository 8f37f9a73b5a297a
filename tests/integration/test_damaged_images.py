"""Model inputs and originals that rot on the disk: found when they are read or looked for, and mended."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support.command import run_json
from support.live_service import LiveService, live_service
from support.pictures import png
from xmirad.client import ActivationMethod, Client, Upload
from xmirad.client.explanation_types import Explanation
from xmirad.errors import EmbeddingCorruptError
from xmirad.types import ExplanationState, OriginalsPolicy

KEPT, REFERENCED = "kept", "referenced"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LiveService]:
    """A service with an archive that keeps originals and one that does not, each with two images, stopped."""
    with live_service(tmp_path / "home") as live:
        with live.start() as client:
            client.create_archive(KEPT, originals=OriginalsPolicy.COPY)
            client.create_archive(REFERENCED, originals=OriginalsPolicy.REFERENCE)
            for number, archive in enumerate((KEPT, KEPT, REFERENCED, REFERENCED)):
                client.create_item(archive, upload(number))
        live.stop()
        yield live


def upload(number: int) -> Upload:
    return Upload(png(number), external_id=f"image-{number}")


def zero_a_third(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = bytes(2 * len(data) // 3 - len(data) // 3)
    path.write_bytes(data)


def blobs(service: LiveService, kind: str) -> list[Path]:
    return [path for path in sorted((service.home / "blobs" / kind).rglob("*")) if path.is_file()]


def problems(service: LiveService, archive: str, *options: str, is_clean: bool = False) -> list[str]:
    found = run_json(service.home, "archive", "verify", archive, *options, expected_code=0 if is_clean else 1)
    assert found["clean"] is is_clean
    return sorted(problem["kind"] for problem in found["problems"])


def test_damaged_model_inputs_are_named_and_made_again_from_originals(service: LiveService) -> None:
    assert problems(service, KEPT, is_clean=True) == []
    for path in blobs(service, "inputs"):
        zero_a_third(path)
    assert problems(service, KEPT) == ["INPUT_MISSING"] * 2
    assert problems(service, KEPT, "--repair", is_clean=True) == []
    assert problems(service, REFERENCED, "--repair") == ["INPUT_MISSING"] * 2
    with service.start() as client:
        assert {client.create_item(REFERENCED, upload(number)).item for number in (2, 3)}
    service.stop()
    assert problems(service, REFERENCED, is_clean=True) == []


def test_nothing_is_explained_by_a_damaged_model_input(service: LiveService) -> None:
    for path in blobs(service, "inputs"):
        zero_a_third(path)
    with service.start() as client:
        names = [item.name for item in client.list_items(REFERENCED)]
        found = explained(client, names)
        assert found.state is ExplanationState.FAILED
        assert isinstance(found.error, EmbeddingCorruptError)
        assert "--repair" in found.error.message
        for number in (2, 3):
            client.create_item(REFERENCED, upload(number))
        assert explained(client, names).state is ExplanationState.SUCCEEDED


def test_blobs_that_no_record_names_are_named_once_they_are_old_and_deleted_if_wanted(service: LiveService) -> None:
    old, fresh = (service.home / "blobs" / "inputs" / "ab" / f"abcd.recipe.{name}" for name in ("old", "fresh"))
    old.parent.mkdir(exist_ok=True)
    for path in (old, fresh):
        path.write_bytes(b"pixels")
    os.utime(old, (0, 0))
    verify = partial(run_json, service.home, "archive", "verify", KEPT)
    assert "orphans" not in verify()
    assert verify("--orphans")["orphans"] == ["inputs/ab/abcd.recipe.old"]
    assert old.exists()
    assert verify("--orphans", "--repair")["orphans"] == ["inputs/ab/abcd.recipe.old"]
    assert verify("--orphans")["orphans"] == []
    assert fresh.exists()


def explained(client: Client, names: list[str]) -> Explanation:
    return client.create_explanation(names[0], names[1], method=ActivationMethod())


def test_damaged_originals_are_named_and_an_upload_puts_them_back(service: LiveService) -> None:
    for path in blobs(service, "originals"):
        zero_a_third(path)
    assert problems(service, KEPT, "--repair") == ["ORIGINAL_DAMAGED"] * 2
    with service.start() as client:
        for number in (0, 1):
            client.create_item(KEPT, upload(number))
    service.stop()
    assert problems(service, KEPT, is_clean=True) == []
