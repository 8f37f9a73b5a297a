"""A service in memory for tests of the evaluation: images are PNG files, and embeddings their few pixels."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from support.fake_maps import FakeMaps
from xmirad.api.vocabulary import QueryItemExclusion, SearchView
from xmirad.client.search_types import (
    Feedback,
    SearchResponse,
    SearchResult,
    SearchSource,
    SearchTimings,
    StreamedOutcome,
    StreamedSearch,
)
from xmirad.client.types import ArchiveInfo, ModelInfo, ServerInfo, Upload, UploadOutcome, UploadReceipt
from xmirad.datasets import DatasetItem
from xmirad.errors import (
    ArchiveNotFoundError,
    InvalidImageError,
    ItemAlreadyExistsError,
    ModelNotFoundError,
    OverloadedError,
    XmiradError,
)
from xmirad.ids import archive_name, item_id, item_name, upload_key
from xmirad.types import EncodedImage, Float32Array, ItemAttributes, OriginalsPolicy, Patient, UploadState

Asked = TypeVar("Asked")
MODEL = ModelInfo(
    name="models/" + "ab12" * 16,
    display_name="pixels",
    digest="ab12" * 16,
    architecture="none",
    embedding_size=4,
    preprocessing_json="{}",
    training_data="nothing",
    license="Apache-2.0",
    card="",
    is_default=True,
)
CONTROL = replace(
    MODEL,
    name="models/" + "cd" * 32,
    display_name="untrained",
    digest="cd" * 32,
    training_data="random weights",
    is_default=False,
)
OTHER_NETWORK = replace(
    CONTROL, display_name="other", digest="ef" * 32, name="models/" + "ef" * 32, architecture="some"
)


def write_pixels(path: Path, pixels: list[int]) -> Path:
    """Write a PNG of one row of gray pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([pixels], dtype=np.uint8)).save(path)
    return path


def pixel_item(
    path: Path, pixels: list[int], *, labels: tuple[str, ...] = (), patient: str = "", source: str = ""
) -> DatasetItem:
    """Write an image and return it as an item of a data set."""
    write_pixels(path, pixels)
    attributes = ItemAttributes(labels=labels, dataset="tiny", source=source)
    return DatasetItem(path, path.stem, attributes, Patient(patient) if patient else None)


def embed(image: EncodedImage) -> Float32Array:
    """Return the pixels as a vector of length 1."""
    try:
        with Image.open(BytesIO(image.data)) as opened:
            values = np.asarray(opened, dtype=np.float32).ravel()
    except OSError as error:
        raise InvalidImageError("the bytes are no image") from error
    return values / np.float32(np.linalg.norm(values))


@dataclass
class FakeService(FakeMaps):
    """Answers as the service does, by brute force, out of order.

    Attributes:
        archives: Embeddings and image digests by item name, by archive.
        overloaded_queries: Correlation ids of searches that fail.
        hidden: Item names that rankings leave out, as a broken service might.
        uploads: How many images were sent.
        features: What the service says that it can do.
    """

    archives: dict[str, dict[str, tuple[Float32Array, str]]] = field(default_factory=dict)
    overloaded_queries: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    uploads: int = 0
    searches: list[StreamedSearch] = field(default_factory=list)
    features: tuple[str, ...] = ("explanations", "explanation_queue")

    def server_info(self) -> ServerInfo:
        return ServerInfo(
            version="0.0-fake",
            boot_id="boot",
            max_message_bytes=1 << 26,
            max_image_bytes=1 << 25,
            max_image_pixels=1 << 20,
            max_top_k=1000,
            max_ranking_top_k=100_000,
            media_types=("image/png",),
            transfer_syntaxes=(),
            vector_store="memory",
            intended_use="Research and decision support only.",
            features=self.features,
        )

    def list_models(self) -> list[ModelInfo]:
        return [CONTROL, OTHER_NETWORK, MODEL]

    def get_model(self, name: str) -> ModelInfo:
        for model in self.list_models():
            if name in (model.display_name, model.digest):
                return model
        raise ModelNotFoundError("no such model")

    def create_archive(self, archive: str, *, model: str, originals: OriginalsPolicy) -> ArchiveInfo:
        self.archives.setdefault(archive, {})
        return self.get_archive(archive)

    def get_archive(self, archive: str) -> ArchiveInfo:
        if archive not in self.archives:
            raise ArchiveNotFoundError("no such archive")
        count = len(self.archives[archive])
        when = datetime(2024, 1, 1, tzinfo=UTC)
        return ArchiveInfo(archive_name(archive), MODEL.name, OriginalsPolicy.REFERENCE, count, when)

    def delete_archive(self, archive: str, *, force: bool) -> None:
        if self.archives.pop(archive, None) is None:
            raise ArchiveNotFoundError("no such archive")

    def upload(self, archive: str, uploads: Iterable[Upload], *, in_flight: int) -> Iterator[UploadOutcome]:
        for some in _windows(uploads, in_flight):
            for upload in reversed(some):
                self.uploads += 1
                try:
                    yield UploadOutcome(upload.correlation_id, self._store(archive, upload), None)
                except XmiradError as error:
                    yield UploadOutcome(upload.correlation_id, None, error)

    def stream_search(
        self, archive: str, searches: Iterable[StreamedSearch], *, in_flight: int
    ) -> Iterator[StreamedOutcome]:
        for some in _windows(searches, in_flight):
            for search in reversed(some):
                self.searches.append(search)
                if search.correlation_id in self.overloaded_queries:
                    yield StreamedOutcome(search.correlation_id, None, OverloadedError("try later"))
                else:
                    yield StreamedOutcome(search.correlation_id, self._search(archive, search), None)

    def _vector(self, archive: str, source: SearchSource) -> Float32Array:
        if isinstance(source, EncodedImage):
            return embed(source)
        if isinstance(source, str):
            return self.archives[archive][source][0]
        assert isinstance(source, Feedback)
        marked = ((1.0, source.positive_items), (-0.5, source.negative_items))
        moved = self._vector(archive, source.source).copy()
        for weight, names in marked:
            if names:
                moved += weight * np.mean([self.archives[archive][name][0] for name in names], axis=0)
        return moved / np.linalg.norm(moved)

    def _store(self, archive: str, upload: Upload) -> UploadReceipt:
        digest = hashlib.sha256(upload.image.data).hexdigest()
        key = upload_key(external_id=upload.external_id, digest=digest)
        name = item_name(archive, item_id(archive, key))
        stored = self.archives[archive].get(name)
        if stored is not None and stored[1] != digest:
            raise ItemAlreadyExistsError("another image has this identity")
        self.archives[archive][name] = (embed(upload.image), digest)
        return UploadReceipt(name, UploadState.UNCHANGED if stored else UploadState.CREATED, digest, is_indexed=True)

    def _search(self, archive: str, search: StreamedSearch) -> SearchResponse:
        assert search.exact
        assert search.view is SearchView.RANKING
        query = self._vector(archive, search.source)
        left_out = {*search.filter.excluded_items, *self.hidden}
        if isinstance(search.source, Feedback):
            left_out |= {*search.source.positive_items, *search.source.negative_items}
        scored = [
            (-float(np.float32(query @ embedding)), name)
            for name, (embedding, _) in self.archives[archive].items()
            if name not in left_out
        ]
        results = [
            SearchResult(name, rank, -negative)
            for rank, (negative, name) in enumerate(sorted(scored)[: search.top_k], start=1)
        ]
        timings = SearchTimings(0.0, 0.0, 0.0)
        return SearchResponse(
            tuple(results), MODEL.name, "", len(scored), True, QueryItemExclusion.NONE, timings, "request"
        )


def _windows(asked: Iterable[Asked], size: int) -> Iterator[list[Asked]]:
    window: list[Asked] = []
    for each in asked:
        window.append(each)
        if len(window) == size:
            yield window
            window = []
    yield window
