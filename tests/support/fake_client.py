"""A client whose service is a dictionary. Stores what is uploaded, refuses images that say `broken`."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

from xmirad import ids
from xmirad.api.vocabulary import QueryItemExclusion
from xmirad.client.search_types import SearchResponse, SearchResult, SearchTimings
from xmirad.client.types import (
    ArchiveInfo,
    ArchiveStats,
    Item,
    PurgeCounts,
    ServerInfo,
    Upload,
    UploadOutcome,
    UploadReceipt,
)
from xmirad.errors import ArchiveNotFoundError, BackendUnavailableError, InvalidImageError, XmiradError
from xmirad.types import OriginalsPolicy, UploadState

MODEL = "models/" + "ab" * 32
MAX_IMAGE_BYTES = 100


class FakeClient:
    """Behaves as the SDK's client does, as far as the commands use it."""

    def __init__(self) -> None:
        self.archives: dict[str, dict[str, Item]] = {}
        self.sent: list[str] = []
        self.asked: list[int] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[XmiradError] = []
        self.waits = 0
        self.max_image_bytes = MAX_IMAGE_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @contextmanager
    def connected(self, *_: object, **__: object) -> Iterator[Self]:
        yield self

    def server_info(self) -> ServerInfo:
        return ServerInfo("0", "boot", 1 << 20, self.max_image_bytes, 1000, 10, 10, (), (), "edge", "research")

    def wait_until_ready(self, _timeout_seconds: float) -> None:
        self.waits += 1

    def create_archive(
        self, archive: str, *, model: str = "", originals: OriginalsPolicy = OriginalsPolicy.COPY
    ) -> ArchiveInfo:
        self.calls.append(("create_archive", {"archive": archive, "model": model, "originals": originals}))
        self.archives.setdefault(archive, {})
        return self.get_archive(archive)

    def get_archive(self, archive: str) -> ArchiveInfo:
        if archive not in self.archives:
            raise ArchiveNotFoundError(f"there is no archive {archive}", metadata={"archive": archive})
        count = len(self.archives[archive])
        return ArchiveInfo(
            ids.archive_name(archive), MODEL, OriginalsPolicy.COPY, count, datetime(2026, 1, 2, tzinfo=UTC)
        )

    def list_archives(self) -> Iterator[ArchiveInfo]:
        return map(self.get_archive, sorted(self.archives))

    def archive_stats(self, archive: str) -> ArchiveStats:
        return ArchiveStats(self.get_archive(archive), 2, {"labels": {"normal": 2}})

    def delete_archive(self, archive: str, *, force: bool = False) -> None:
        self.calls.append(("delete_archive", {"archive": archive, "force": force}))

    def list_items(self, archive: str, **_: object) -> Iterator[Item]:
        return iter(self.archives[archive].values())

    def purge_items(self, archive: str, **selection: object) -> PurgeCounts:
        self.calls.append(("purge_items", {"archive": archive, **selection}))
        return PurgeCounts(3, 3 if selection["force"] else 0)

    def batch_get_items(self, archive: str, names: Sequence[str]) -> list[Item]:
        self.asked.append(len(names))
        return [self.archives[archive][name] for name in names if name in self.archives[archive]]

    def upload(self, archive: str, uploads: Iterable[Upload]) -> Iterator[UploadOutcome]:
        for upload in uploads:
            if self.errors:
                error = self.errors.pop(0)
                yield UploadOutcome(upload.correlation_id, None, error)
                if isinstance(error, BackendUnavailableError):
                    raise error
                continue
            yield self._store(archive, upload)

    def search(self, archive: str, source: object, **options: object) -> SearchResponse:
        self.calls.append(("search", {"archive": archive, "source": source, **options}))
        self.get_archive(archive)
        results = tuple(
            SearchResult(name, rank, 1.0 / rank, item.attributes.labels)
            for rank, (name, item) in enumerate(self.archives[archive].items(), start=1)
        )
        timings = SearchTimings(1.0, 2.0, 0.5)
        return SearchResponse(results, MODEL, "cd" * 32, len(results), True, QueryItemExclusion.NONE, timings, "id")

    def _store(self, archive: str, upload: Upload) -> UploadOutcome:
        self.sent.append(upload.external_id)
        data = upload.image.data
        if b"broken" in data:
            error = InvalidImageError("the file is no image", field="image.data")
            return UploadOutcome(upload.correlation_id, None, error)
        digest = hashlib.sha256(data).hexdigest()
        key = ids.upload_key(external_id=upload.external_id, digest=digest)
        name = ids.item_name(archive, ids.item_id(archive, key))
        before = self.archives[archive].get(name)
        self.archives[archive][name] = Item(name, upload.attributes, digest, None, None, None, None)
        state = UploadState.CREATED
        if before is not None:
            state = UploadState.UNCHANGED if before.attributes == upload.attributes else UploadState.UPDATED
        return UploadOutcome(upload.correlation_id, UploadReceipt(name, state, digest), None)
