"""Each store of archives in turn, and an archive of random items in it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.archive_oracle import (
    binding_of,
    random_items,
)
from support.qdrant_server import QdrantServer
from xmirad.archive.edge import EdgeStore
from xmirad.archive.port import Archive, ArchiveStore, StoredItem
from xmirad.archive.qdrant import QdrantStore

BINDING = binding_of()


@pytest.fixture(params=["edge", "qdrant"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArchiveStore]:
    opened: ArchiveStore
    if request.param == "edge":
        opened = EdgeStore(tmp_path / "store")
        yield opened
        opened.close()
        return
    with QdrantServer() as server:
        opened = QdrantStore(server.url)
        yield opened
        opened.close()


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def items(random: np.random.Generator) -> list[StoredItem]:
    return random_items(random, 150)


@pytest.fixture
def archive(store: ArchiveStore, items: list[StoredItem]) -> Archive:
    created = store.create(BINDING)
    created.upsert(items)
    return created
