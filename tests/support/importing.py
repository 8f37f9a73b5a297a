"""Imports over a catalog, with a queue that is a list and images that need no decoder."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.catalogs import temporary_catalog
from support.records import archive_record
from xmirad.errors import InvalidImageError, XmiradError
from xmirad.imports.importing import Importing
from xmirad.imports.listing import Listings
from xmirad.imports.records import ImportRequest, ImportSnapshot
from xmirad.imports.stepping import ImportSteps, Put
from xmirad.imports.store import ImportStore
from xmirad.indexing.incoming import IncomingItem
from xmirad.types import UploadState

ARCHIVE, FOLDER, SITE = "chest", "images", "local"


class ListQueue:
    """Tasks that wait, each once."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int, int | None]] = []

    def publish(self, request: ImportRequest, segment: int | None) -> None:
        self.publish_task(request.creation, request.number, segment)

    def publish_task(self, creation: str, number: int, segment: int | None) -> None:
        if (creation, number, segment) not in self.tasks:
            self.tasks.append((creation, number, segment))


class ImportWorld:
    """Everything that an import works with; time stands still unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000.0
        self.folder = folder
        self.catalog = temporary_catalog(self)
        self.catalog.create_archive(archive_record(archive=ARCHIVE))
        self.queue = ListQueue()
        self.store = ImportStore(self.catalog.database, clock=lambda: self.now)
        self.stored: dict[bytes, int] = {}
        self.faults: list[XmiradError] = []
        self.tasks_done = 0
        self.seconds_an_image = 0.0
        self.importing = Importing(self.store, self.queue, site=SITE, folders=[FOLDER])

    def write_images(self, count: int, *, bad: Sequence[int] = ()) -> None:
        """Write files of a class `a`; those whose numbers are given are no images."""
        (self.folder / "a").mkdir(exist_ok=True)
        for number in range(count):
            content = f"{'bad' if number in bad else 'image'} {number}"
            (self.folder / "a" / f"{number:04d}.png").write_text(content)

    def create(self, **wanted: Any) -> ImportRequest:  # noqa: ANN401 - fields of a request
        """Begin an import of the folder, or of what is wanted instead, as the owner of the home."""
        request = ImportRequest(**{"archive": ARCHIVE, "site": SITE, **(wanted or {"folder": FOLDER})})
        return self.importing.create(request, is_owner=True, answer=lambda begun: begun.request.name.encode()).request

    def steps(self, *, step_seconds: float = 5.0, begin_seconds: float = 5.0) -> ImportSteps:
        async def open_archive(_request: ImportRequest) -> Put:
            return self._put

        listings = Listings({FOLDER: self.folder})
        return ImportSteps(
            self.store,
            listings,
            open_archive,
            begin_seconds=begin_seconds,
            step_seconds=step_seconds,
            max_image_bytes=100,
        )

    def work(self, *, step_seconds: float = 5.0, begin_seconds: float = 5.0) -> None:
        """Do one task, as a worker does."""
        self.tasks_done += 1
        creation, number, segment = self.queue.tasks.pop(0)
        steps = self.steps(step_seconds=step_seconds, begin_seconds=begin_seconds)
        for each in asyncio.run(steps.run(creation, number, segment)):
            self.queue.publish_task(creation, number, each)

    def work_all(self, *, step_seconds: float = 5.0) -> None:
        while self.queue.tasks:
            self.work(step_seconds=step_seconds)

    def snapshot(self, number: int = 1) -> ImportSnapshot:
        return self.store.snapshot("local", ARCHIVE, number)

    async def _put(self, incoming: IncomingItem) -> UploadState:
        await asyncio.sleep(self.seconds_an_image)
        if self.faults:
            raise self.faults.pop(0)
        data = incoming.image.data
        if data.startswith(b"bad"):
            raise InvalidImageError("the image cannot be decoded", field="image")
        self.stored[data] = self.stored.get(data, 0) + 1
        return UploadState.CREATED if self.stored[data] == 1 else UploadState.UNCHANGED
