"""What the blob store keeps of an image, by the digest of its content."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import EmbeddingCorruptError
from xmirad.ids import image_digest
from xmirad.types import Float32Array, UInt8Array

INPUT_DAMAGED = (
    "the stored model input of an image is damaged; run `xmirad archive verify --repair`, or upload the image again"
)
CHECKSUM_BYTES = hashlib.sha256().digest_size


class ImageBlobs:
    """Model inputs and originals. Safe to use from many threads."""

    def __init__(self, blobs: BlobStore) -> None:
        """Keep them in a blob store."""
        self._blobs = blobs

    def put_input(self, image: str, preprocessing: str, pixels: UInt8Array) -> None:
        """Store an image's model input, uint8 `[size, size, 3]`; it replaces one that is there and cannot be read."""
        key, data = keys.model_input(image, preprocessing), npy_bytes(pixels)
        if self._blobs.put(key, data, if_absent=True):
            return
        try:
            self.input(image, preprocessing)
        except EmbeddingCorruptError:
            self._blobs.put(key, data)

    def input(self, image: str, preprocessing: str) -> UInt8Array | None:
        """Return an image's model input, or None.

        Raises:
            EmbeddingCorruptError: If it is not what was stored.
        """
        try:
            array = read_array(self._blobs, keys.model_input(image, preprocessing))
        except EmbeddingCorruptError as error:
            raise EmbeddingCorruptError(INPUT_DAMAGED, metadata={"image": image}) from error
        if array is not None and (array.dtype != np.uint8 or array.ndim != 3):
            raise EmbeddingCorruptError(INPUT_DAMAGED, metadata={"image": image})
        return array

    def put_original(self, file: str, data: bytes) -> None:
        """Store the file that an image came in, once for all its frames; it replaces one that is damaged."""
        if self._blobs.put(keys.original(file), data, if_absent=True):
            return
        try:
            self.original(file)
        except EmbeddingCorruptError:
            self._blobs.put(keys.original(file), data)

    def original(self, file: str) -> bytes | None:
        """Return the file that an image came in, or None where it is not kept.

        Raises:
            EmbeddingCorruptError: If it is not the file that was uploaded.
        """
        try:
            data = self._blobs.get(keys.original(file))
        except BlobNotFoundError:
            return None
        if image_digest(data) != file:
            message = "the stored original is damaged; upload the image again, or put it back from your backup"
            raise EmbeddingCorruptError(message, metadata={"file": file})
        return data

    def delete_derived(self, image: str) -> None:
        """Delete everything that was computed from an image."""
        for prefix in keys.derived_prefixes(image):
            for key in list(self._blobs.list(prefix)):
                self._blobs.delete(key)

    def delete_original(self, file: str) -> None:
        """Delete the file that images came in."""
        self._blobs.delete(keys.original(file))

    def delete_everything(self, digest: str) -> None:
        """Delete all that lies below a digest that no item uses, neither as image nor as file."""
        for kind in keys.IMAGE_KINDS:
            for key in list(self._blobs.list(f"{kind}/{digest}/")):
                self._blobs.delete(key)

    def digests(self) -> Iterator[str]:
        """Yield the digest of everything that is kept here, some more than once."""
        for kind in keys.IMAGE_KINDS:
            for key in self._blobs.list(f"{kind}/"):
                yield key.split("/")[1]

    def put_time(self, digest: str) -> float | None:
        """Return when something below a digest was put last, in seconds since 1970, or None if there is nothing."""
        keys_of = (key for kind in keys.IMAGE_KINDS for key in self._blobs.list(f"{kind}/{digest}/"))
        times = [put for key in keys_of if (put := self._blobs.put_time(key)) is not None]
        return max(times, default=None)


def read_array(blobs: BlobStore, key: str) -> npt.NDArray[Any] | None:
    """Return an array as `npy_bytes` has written it, or None if there is none.

    Raises:
        EmbeddingCorruptError: If what is stored is not what was written.
    """
    try:
        data = blobs.get(key)
    except BlobNotFoundError:
        return None
    payload, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if hashlib.sha256(payload).digest() != checksum:
        raise EmbeddingCorruptError("a stored array is not what was written", metadata={"blob": key})
    array: npt.NDArray[Any] = np.load(io.BytesIO(payload), allow_pickle=False)
    return array


def npy_bytes(array: Float32Array | UInt8Array) -> bytes:
    """Return an array in NPY format, with the SHA-256 of that behind it, which readers of NPY leave unread."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    payload = buffer.getvalue()
    return payload + hashlib.sha256(payload).digest()
