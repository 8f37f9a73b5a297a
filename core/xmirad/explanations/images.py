"""The images of a pair: items of archives, and queries, which are kept for as long as they are explained."""

import time
from collections.abc import Callable
from typing import TypeVar

from xmirad.archive.embeddings import is_unit
from xmirad.blobs import keys
from xmirad.blobs.arrays import get_array, put_array
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.blobs.sealed import get_sealed, put_sealed
from xmirad.catalog import explanations as rows
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.errors import EmbeddingCorruptError, ExplanationNotFoundError, ItemNotFoundError
from xmirad.types import Float32Array, UInt8Array

Array = TypeVar("Array")


class ExplanationImages:
    """Reads model inputs and embeddings of images, wherever they are kept, and keeps queries."""

    def __init__(self, catalog: Catalog, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        """Read pixels from a blob store; a catalog knows the queries, and the embeddings of items."""
        self._catalog = catalog
        self._blobs = blobs
        self._items = ImageBlobs(catalog.database, blobs)
        self._clock = clock

    def input(self, image: str, preprocessing: str, *, is_query: bool) -> UInt8Array:
        """Return the model input, uint8 `[S, S, 3]`.

        Raises:
            ItemNotFoundError: If there is none.
            EmbeddingCorruptError: If what is stored is no image.
        """
        if not is_query:
            return _found(self._items.input(image, preprocessing), image)
        array = _found(get_array(self._blobs, keys.query_input(image, preprocessing)), image)
        if array.dtype != "uint8" or array.ndim != 3:
            raise EmbeddingCorruptError("a stored query is no image", metadata={"image": image})
        return array

    def embedding(self, image: str, model: str, *, is_query: bool) -> Float32Array:
        """Return the embedding, float32 `[D]`, unit.

        Raises:
            ItemNotFoundError: If there is none.
            EmbeddingCorruptError: If what is stored is no unit vector.
        """
        if not is_query:
            return _found(self._catalog.embedding_of_image(image, model), image)
        array = _found(get_array(self._blobs, keys.query_embedding(image, model)), image)
        if array.dtype != "float32" or array.ndim != 1 or not is_unit(array):
            raise EmbeddingCorruptError("a stored embedding is no unit vector", metadata={"image": image})
        return array

    def put_query(self, digest: str, *, model: str, embedding: Float32Array) -> None:
        """Keep what every kind of query has; one that is kept already is kept anew.

        Raises:
            BackendUnavailableError: If it is just being deleted.
        """
        # First, so that whatever is stored of it is found again.
        self._catalog.database.write(lambda connection: rows.put_query(connection, digest, now=self._clock()))
        put_array(self._blobs, keys.query_embedding(digest, model), embedding)

    def put_query_pixels(self, digest: str, *, preprocessing: str, pixels: UInt8Array, picture: bytes) -> None:
        """Keep the model input of a query that is kept, and a picture of all of it for display, PNG, without header."""
        put_array(self._blobs, keys.query_input(digest, preprocessing), pixels)
        put_sealed(self._blobs, keys.query_picture(digest), picture, if_absent=True)

    def query_picture(self, digest: str) -> bytes:
        """Return a query's picture, PNG.

        Raises:
            ExplanationNotFoundError: If it is not kept any more.
            EmbeddingCorruptError: If it is not what was stored.
        """
        try:
            return get_sealed(self._blobs, keys.query_picture(digest))
        except BlobNotFoundError as error:
            raise ExplanationNotFoundError("the query is not kept any more", field="query") from error


def _found(array: Array | None, image: str) -> Array:
    if array is None:
        raise ItemNotFoundError("the image is not kept any more", field="item", metadata={"image": image})
    return array
