"""Arrays in NPY format."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.blobs.sealed import get_sealed, put_sealed
from xmirad.types import Float32Array, UInt8Array


def put_array(blobs: BlobStore, key: str, array: Float32Array | UInt8Array) -> None:
    """Store an array with a checksum."""
    put_sealed(blobs, key, npy_bytes(array))


def get_array(blobs: BlobStore, key: str) -> npt.NDArray[Any] | None:
    """Return an array as `put_array` has stored it, or None if there is none.

    Raises:
        EmbeddingCorruptError: If what is stored is not what was written.
    """
    try:
        return npy_array(get_sealed(blobs, key))
    except BlobNotFoundError:
        return None


def npy_bytes(array: Float32Array | UInt8Array) -> bytes:
    """Return an array in NPY format."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def npy_array(data: bytes) -> npt.NDArray[Any]:
    """Return the array that `npy_bytes` was given.

    Raises:
        ValueError: If it is none.
    """
    array: npt.NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return array
