"""A client whose service is a dictionary. Stores what is uploaded, refuses images that say `broken`."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

from support.pictures import png
from xmirad import ids
from xmirad.api.vocabulary import ItemView, QueryItemExclusion, SearchView
from xmirad.client.search_types import SearchResponse, SearchResult, SearchTimings
from xmirad.client.types import (
    ArchiveInfo,
    ArchiveStats,
    Item,
    ItemIdentity,
    PartialIndex,
    PurgeCounts,
    ServerInfo,
    Upload,
    UploadOutcome,
    UploadReceipt,
)
from xmirad.errors import (
    AccessDeniedError,
    ArchiveNotFoundError,
    BackendUnavailableError,
    InvalidImageError,
    ItemNotFoundError,
    XmiradError,
)
from xmirad.evidence.weighing import Evidence
from xmirad.types import EncodedImage, ItemAttributes, OriginalsPolicy, UploadState

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
        self.withholds_identity = False
        self.evidence: Evidence | None = None

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

    def add_item(self, archive: str, item: str) -> None:
        name = ids.item_name(archive, item)
        identity = ItemIdentity("pat-7", "", "", "", 0, "ward/pat-7.png")
        attributes = ItemAttributes(labels=("normal",))
        stored = Item(name, attributes, "ab" * 32, None, identity, None, None)
        self.archives.setdefault(archive, {})[name] = stored

    def list_archives(self) -> Iterator[ArchiveInfo]:
        return map(self.get_archive, sorted(self.archives))

    def archive_stats(self, archive: str) -> ArchiveStats:
        return ArchiveStats(self.get_archive(archive), 2, {"labels": {"normal": 2}})

    def rebuild_archive(self, archive: str) -> ArchiveInfo:
        self.calls.append(("rebuild_archive", {"archive": archive}))
        return replace(self.get_archive(archive), rebuilding=PartialIndex(0, 1))

    def delete_archive(self, archive: str, *, force: bool = False) -> None:
        self.calls.append(("delete_archive", {"archive": archive, "force": force}))

    def list_items(self, archive: str, *, view: ItemView = ItemView.BASIC, **_: object) -> Iterator[Item]:
        for item in self.archives[archive].values():
            self._require_identity(view)
            yield self._seen(item, view)

    def purge_items(self, archive: str, **selection: object) -> PurgeCounts:
        self.calls.append(("purge_items", {"archive": archive, **selection}))
        return PurgeCounts(3, 3 if selection["force"] else 0)

    def get_item(self, name: str, *, view: ItemView = ItemView.BASIC) -> Item:
        self._require_identity(view)
        archive = name.split("/")[1]
        if name not in self.archives.get(archive, {}):
            raise ItemNotFoundError(f"there is no item {name}", field="name", metadata={"item": name})
        return self._seen(self.archives[archive][name], view)

    def item_image(self, name: str) -> bytes:
        self._require_identity(ItemView.FULL)
        self.get_item(name)
        return png(1, size=16).data

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

    def search(
        self,
        archive: str,
        source: object,
        *,
        view: SearchView = SearchView.BASIC,
        **options: Any,  # noqa: ANN401
    ) -> SearchResponse:
        self._require_identity(view)
        self.calls.append(("search", {"archive": archive, "source": source, "view": view, **options}))
        self.get_archive(archive)
        items = [item for item in self.archives[archive].values() if not self._is_left_out(item, source, options)]
        results = tuple(
            SearchResult(
                item.name,
                rank,
                1.0 / rank,
                item.attributes.labels,
                identity=item.identity if view is SearchView.FULL else None,
                thumbnail=png(rank, size=16).data if view is SearchView.FULL else b"",
            )
            for rank, item in enumerate(items[: options.get("top_k", 10)], start=1)
        )
        timings = SearchTimings(1.0, 2.0, 0.5)
        none = QueryItemExclusion.NONE
        response = SearchResponse(results, MODEL, "cd" * 32, len(items), True, none, timings, "id")
        return replace(response, evidence=self.evidence)

    def _is_left_out(self, item: Item, source: object, options: dict[str, Any]) -> bool:
        if not options.get("exclude_query_item"):
            return False
        digest = hashlib.sha256(source.data).hexdigest() if isinstance(source, EncodedImage) else ""
        return item.name == source or item.image_digest == digest

    def _require_identity(self, view: object) -> None:
        if self.withholds_identity and view in (ItemView.FULL, SearchView.FULL):
            raise AccessDeniedError("this needs a token of scope identity", metadata={"scope": "identity"})

    def _seen(self, item: Item, view: ItemView) -> Item:
        return item if view is ItemView.FULL else replace(item, identity=None)

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
        identity = ItemIdentity(upload.external_id, "", "", "", 0, upload.file_name)
        self.archives[archive][name] = Item(name, upload.attributes, digest, None, identity, None, None)
        state = UploadState.CREATED
        if before is not None:
            state = UploadState.UNCHANGED if before.attributes == upload.attributes else UploadState.UPDATED
        return UploadOutcome(upload.correlation_id, UploadReceipt(name, state, digest, is_indexed=True), None)
