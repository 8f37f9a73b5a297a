"""What only the embedded store promises: one owner, and nothing acknowledged lost when it is killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import qdrant_edge as edge

from support.archive_oracle import EMBEDDING_SIZE, binding_of, random_items
from xmirad.archive.conditions import PayloadField
from xmirad.archive.edge import EdgeStore
from xmirad.archive.edge_archive import EdgeArchive, shard_errors
from xmirad.archive.port import StoredItem
from xmirad.errors import ArchiveNotFoundError, ArchiveNotReadyError, BackendUnavailableError

BINDING = binding_of()
TESTS = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[EdgeStore]:
    opened = EdgeStore(folder)
    yield opened
    opened.close()


@pytest.fixture
def items() -> list[StoredItem]:
    return random_items(np.random.default_rng(4), 60)


def run_python(program: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a program that finds the tests' support code."""
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


UPSERT_FOREVER = """
    import sys
    from pathlib import Path
    import numpy as np
    from support.archive_oracle import binding_of, random_items
    from xmirad.archive.edge import EdgeStore

    archive = EdgeStore(Path(sys.argv[1])).create(binding_of())
    random = np.random.default_rng(int(sys.argv[2]))
    while True:
        batch = random_items(random, 20)
        archive.upsert(batch)
        print(" ".join(item.item for item in batch), flush=True)
"""


def test_no_acknowledged_item_is_lost_when_the_writer_is_killed_again_and_again(folder: Path) -> None:
    acknowledged: set[str] = set()
    for life, batches in enumerate((1, 4, 9, 2)):
        writer = run_python(UPSERT_FOREVER, str(folder), str(life))
        assert writer.stdout is not None
        for _ in range(batches):
            acknowledged.update(writer.stdout.readline().split())
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate(timeout=30)[0]
        acknowledged.update(rest[: rest.rfind("\n") + 1].split())
        store = EdgeStore(folder)
        archive = store.open(BINDING)
        stored = {item.item for item in archive.scan(after=None, limit=1_000_000)}
        assert len(acknowledged) >= 20 * (life + 1)
        assert acknowledged <= stored
        assert archive.count() == len(stored)
        store.close()


OPEN = """
    import sys
    from pathlib import Path
    from support.archive_oracle import binding_of
    from xmirad.archive.edge import EdgeStore
    from xmirad.errors import XmiradError

    store = EdgeStore(Path(sys.argv[1]))
    for name in ("create", "open"):
        try:
            getattr(store, name)(binding_of())
        except XmiradError as error:
            print(error.reason)
    for use in (lambda: store.drop("covidx", binding_of().creation), lambda: store.reset(binding_of())):
        try:
            use()
        except XmiradError as error:
            print(error.reason)
    print(store.list())
"""


def test_another_process_is_told_that_the_archives_are_in_use(
    store: EdgeStore, folder: Path, items: list[StoredItem]
) -> None:
    archive = store.create(BINDING)
    archive.upsert(items)
    output = run_python(OPEN, str(folder)).communicate(timeout=30)[0].splitlines()
    assert output == ["ARCHIVE_NOT_READY"] * 4 + [f"['{BINDING.creation}']"]
    assert archive.count() == len(items)


def test_a_closed_store_leaves_its_folder_to_the_next(folder: Path, items: list[StoredItem]) -> None:
    first = EdgeStore(folder)
    archive = first.create(BINDING)
    archive.upsert(items)
    with pytest.raises(ArchiveNotReadyError):
        EdgeStore(folder).open(BINDING)
    first.close()
    first.close()
    second = EdgeStore(folder)
    assert second.open(BINDING).count() == len(items)
    second.close()


RESET_AND_DIE = """
    import os, signal, sys
    from pathlib import Path
    from support.archive_oracle import binding_of
    from xmirad.archive import edge_folder
    from xmirad.archive.edge import EdgeStore

    def die(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    moment = sys.argv[2]
    if moment == "once the old one is out of the way":
        edge_folder.shutil.rmtree = die
    if moment == "before the new one is in place":
        edge_folder.ArchiveFolder.make = lambda folder, binding, make_shard: die()
    if moment == "while the new one is made":
        edge_folder.write_durably = die
    EdgeStore(Path(sys.argv[1])).reset(binding_of())
"""


@pytest.mark.parametrize(
    "moment",
    ["once the old one is out of the way", "before the new one is in place", "while the new one is made"],
)
def test_a_reset_that_is_killed_leaves_no_archive_instead_of_half_of_one(
    folder: Path, items: list[StoredItem], moment: str
) -> None:
    store = EdgeStore(folder)
    store.create(BINDING).upsert(items)
    store.close()
    reset = run_python(RESET_AND_DIE, str(folder), moment)
    output = reset.communicate(timeout=30)[0]
    assert reset.returncode == -signal.SIGKILL, output
    store = EdgeStore(folder)
    assert store.list() == []
    with pytest.raises(ArchiveNotFoundError):
        store.open(BINDING)
    assert store.create(BINDING).count() == 0
    store.close()
    assert sorted(path.name for path in folder.iterdir()) == sorted([BINDING.creation, "lock"])


def test_a_closed_archive_says_so_and_can_be_opened_again(store: EdgeStore, items: list[StoredItem]) -> None:
    archive = store.create(BINDING)
    archive.upsert(items)
    archive.close()
    archive.close()
    with pytest.raises(ArchiveNotReadyError):
        archive.count()
    assert store.open(BINDING).count() == len(items)
    assert store.open(BINDING) is store.open(BINDING)


def test_an_archive_without_its_binding_is_refused_and_can_be_rebuilt(
    store: EdgeStore, folder: Path, items: list[StoredItem]
) -> None:
    store.create(BINDING)
    store.close()
    binding = folder / BINDING.creation / "binding.json"
    for broken in (
        "{",
        "[]",
        json.dumps({"archive": "covidx"}),
        binding.read_text().replace(BINDING.creation, "a" * 32),
    ):
        binding.write_text(broken)
        with pytest.raises(ArchiveNotReadyError):
            store.open(BINDING)
    store.reset(BINDING).upsert(items)
    assert store.open(BINDING).count() == len(items)


def test_a_shard_that_cannot_be_read_is_an_error_of_ours_without_its_path(store: EdgeStore, folder: Path) -> None:
    store.create(BINDING)
    store.close()
    (folder / BINDING.creation / "shard" / "edge_config.json").write_text("broken")
    with pytest.raises(BackendUnavailableError) as caught:
        store.open(BINDING)
    assert caught.value.metadata["backend"] == "edge"
    assert str(folder) not in caught.value.message


class Panic(BaseException):
    """As what pyo3 raises when Rust panics."""


class PanickingShard:
    """Panics at whatever it is asked."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def panics(*_: object, **__: object) -> None:
            raise Panic(f"{name}: index out of bounds")

        return panics


@pytest.mark.parametrize(
    "call",
    [
        lambda archive: archive.upsert(random_items(np.random.default_rng(1), 1)),
        lambda archive: archive.query(np.ones(EMBEDDING_SIZE, np.float32), top_k=1),
        lambda archive: archive.get(["00000000-0000-0000-0000-000000000001"]),
        lambda archive: archive.scan(after=None, limit=1),
        lambda archive: archive.delete(["00000000-0000-0000-0000-000000000001"]),
        lambda archive: archive.count(),
        lambda archive: archive.facet(PayloadField.LABELS),
        lambda archive: archive.flush(),
        lambda archive: archive.close(),
    ],
    ids=["upsert", "query", "get", "scan", "delete", "count", "facet", "flush", "close"],
)
def test_a_panic_is_an_error_of_ours_with_a_remedy(call: Callable[[EdgeArchive], object]) -> None:
    archive = EdgeArchive(BINDING, cast("edge.EdgeShard", PanickingShard()))
    with pytest.raises(BackendUnavailableError, match="made again from the catalog") as caught:
        call(archive)
    assert caught.value.metadata == {"backend": "edge", "archive": "covidx", "cause": "DAMAGED"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_no_failure_of_the_store(error: type[BaseException]) -> None:
    with pytest.raises(error), shard_errors("covidx"):
        raise error


def test_a_folder_that_cannot_be_written_to_is_no_store(store: EdgeStore, folder: Path) -> None:
    store.ping()
    folder.rmdir()
    with pytest.raises(BackendUnavailableError):
        store.ping()


def test_the_binding_beside_the_shard_says_what_it_is_bound_to(store: EdgeStore, folder: Path) -> None:
    store.create(BINDING)
    assert json.loads((folder / BINDING.creation / "binding.json").read_text()) == {
        "archive": "covidx",
        "creation": BINDING.creation,
        "model_digest": "d" * 64,
        "embedding_size": EMBEDDING_SIZE,
        "site_key_fingerprint": "f" * 16,
    }
