"""The images of a pair: items of archives, and queries, which are kept for as long as they are explained."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeVar

from xmirad.archive.embeddings import is_unit
from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.catalog.images import ImageBlobs, npy_bytes, read_array
from xmirad.errors import EmbeddingCorruptError, ExplanationNotFoundError, ItemNotFoundError
from xmirad.explanations.sealing import sealed, unsealed
from xmirad.types import Float32Array, ImageGeometry, UInt8Array

Array = TypeVar("Array")
EmbeddingOf = Callable[[str, str], Float32Array | None]
"""Maps an image's digest and a model's to the embedding of an item, or None."""


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """What is known of a stored query; nothing of its header.

    Attributes:
        geometry: How the model's input was made from the original, or None for a vector.
        create_time: When it was stored last, in seconds since 1970.
    """

    geometry: ImageGeometry | None
    create_time: float


class ExplanationImages:
    """Reads model inputs and embeddings of images, wherever they are kept, and keeps queries."""

    def __init__(self, blobs: BlobStore, embedding_of: EmbeddingOf, *, clock: Callable[[], float] = time.time) -> None:
        """Read pixels from a blob store, and embeddings of items from the catalog by `embedding_of`."""
        self._embedding_of = embedding_of
        self._blobs = blobs
        self._items = ImageBlobs(blobs)
        self._clock = clock

    def input(self, image: str, preprocessing: str, *, is_query: bool) -> UInt8Array:
        """Return the model input, uint8 `[S, S, 3]`.

        Raises:
            ItemNotFoundError: If there is none.
            EmbeddingCorruptError: If what is stored is no image.
        """
        if not is_query:
            return _found(self._items.input(image, preprocessing), image)
        array = _found(read_array(self._blobs, keys.query_input(image, preprocessing)), image)
        if array.dtype != "uint8" or array.ndim != 3:
            raise EmbeddingCorruptError("a stored query is no image", metadata={"image": image})
        return array

    def has_input(self, image: str, preprocessing: str, *, is_query: bool) -> bool:
        """Return whether a model input is still there."""
        return has_input(self._blobs, image, preprocessing, is_query=is_query)

    def embedding(self, image: str, model: str, *, is_query: bool) -> Float32Array:
        """Return the embedding, float32 `[D]`, unit.

        Raises:
            ItemNotFoundError: If there is none.
            EmbeddingCorruptError: If what is stored is no unit vector.
        """
        if not is_query:
            return _found(self._embedding_of(image, model), image)
        array = _found(read_array(self._blobs, keys.query_embedding(image, model)), image)
        if array.dtype != "float32" or array.ndim != 1 or not is_unit(array):
            raise EmbeddingCorruptError("a stored embedding is no unit vector", metadata={"image": image})
        return array

    def put_query(self, digest: str, *, model: str, embedding: Float32Array, geometry: ImageGeometry | None) -> None:
        """Keep what every kind of query has; the record comes last and says that the query is there, and since when.

        A query that is kept already is kept anew.
        """
        self._blobs.put(keys.query_embedding(digest, model), npy_bytes(embedding))
        record = QueryRecord(geometry, self._clock())
        self._blobs.put(keys.query_record(digest), sealed(asdict(record)))

    def put_query_pixels(self, digest: str, *, preprocessing: str, pixels: UInt8Array, picture: bytes) -> None:
        """Keep a query's model input and a picture of all of it for display, PNG, without header."""
        self._blobs.put(keys.query_input(digest, preprocessing), npy_bytes(pixels))
        self._blobs.put(keys.query_picture(digest), picture, if_absent=True)

    def query(self, digest: str) -> QueryRecord:
        """Return what is known of a query.

        Raises:
            ExplanationNotFoundError: If it is not kept any more, or what is kept cannot be read.
        """
        try:
            document = unsealed(self._get(keys.query_record(digest)))
            geometry = document["geometry"]
            return QueryRecord(geometry and ImageGeometry(**geometry), float(document["create_time"]))
        except (EmbeddingCorruptError, KeyError, TypeError, ValueError) as error:
            raise ExplanationNotFoundError("what is kept of the query cannot be read", field="query") from error

    def query_picture(self, digest: str) -> bytes:
        """Return a query's picture, PNG.

        Raises:
            ExplanationNotFoundError: If it is not kept any more.
        """
        return self._get(keys.query_picture(digest))

    def queries(self) -> Iterator[str]:
        """Yield the digests of the queries that are kept."""
        last = ""
        for key in self._blobs.list("queries/"):
            digest = key.split("/")[1]
            if digest != last:
                last = digest
                yield digest

    def delete_query(self, digest: str) -> None:
        """Delete everything of a query, its masked embeddings too."""
        for key in list(self._blobs.list(keys.query(digest))):
            self._blobs.delete(key)

    def _get(self, key: str) -> bytes:
        try:
            return self._blobs.get(key)
        except BlobNotFoundError as error:
            raise ExplanationNotFoundError("the query is not kept any more", field="query") from error


def has_input(blobs: BlobStore, image: str, preprocessing: str, *, is_query: bool) -> bool:
    """Return whether a model input is still there."""
    find = keys.query_input if is_query else keys.model_input
    return blobs.exists(find(image, preprocessing))


def _found(array: Array | None, image: str) -> Array:
    if array is None:
        raise ItemNotFoundError("the image is not kept any more", field="item", metadata={"image": image})
    return array
