"""Model inputs and originals: their bytes in the blob store, what they must be in the catalog.

A blob is put in three steps, each of which may be the last before a crash: `claim` commits under which key, `write`
puts it, and the transaction that stores the item relies on it (`Catalog.put_item`). See `catalog/blobs.py`.
"""

import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from xmirad.blobs.arrays import npy_array, npy_bytes
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.catalog import blobs as rows
from xmirad.catalog.blobs import BlobRow, new_location
from xmirad.catalog.database import Database
from xmirad.errors import BackendUnavailableError, EmbeddingCorruptError
from xmirad.types import UInt8Array

INPUT_DAMAGED = (
    "the stored model input of an image is damaged; run `xmirad archive verify --repair`, or upload the image again"
)
ORIGINAL_DAMAGED = "the stored original is damaged; upload the image again, or put it back from your backup"
ATTEMPTS = 8
"""Other uploads of the same image may overtake a claim, and readers an image that is replaced."""
OVERTAKEN_SECONDS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class NewBlob:
    """What is to be stored of an image, or the file that images came in."""

    digest: str
    preprocessing: str
    data: bytes
    sha256: str

    @classmethod
    def input(cls, image: str, preprocessing: str, pixels: UInt8Array) -> "NewBlob":
        """Return an image's model input, uint8 `[size, size, 3]`."""
        data = npy_bytes(pixels)
        return cls(image, preprocessing, data, hashlib.sha256(data).hexdigest())

    @classmethod
    def original(cls, file: str, data: bytes) -> "NewBlob":
        """Return a file; its digest is the SHA-256 of its bytes."""
        return cls(file, "", data, file)

    def is_of(self, row: BlobRow) -> bool:
        """Return whether a row is of the same image or file."""
        return (row.digest, row.preprocessing) == (self.digest, self.preprocessing)


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """Where a blob is to be put, or is there already."""

    blob: NewBlob
    row: BlobRow


class ImageBlobs:
    """Model inputs and originals. Safe to use from many threads and processes.

    Every method raises `BackendUnavailableError` if the catalog or the blob store cannot be used.
    """

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        """Keep them in a blob store, with rows in a catalog's database."""
        self._database = database
        self._blobs = blobs

    def put(self, new: Sequence[NewBlob], *, are_known: bool = True) -> list[str]:
        """Store blobs for an item that is about to be stored; return where, for `Catalog.put_item`.

        Args:
            new: The blobs.
            are_known: Whether they are expected to be there; if not, they are not looked for first.
        """
        claims = self.claim(new, are_known=are_known)
        self.write(claims)
        return [claim.row.location for claim in claims]

    def claim(self, new: Sequence[NewBlob], *, are_known: bool = True) -> list[Claim]:
        """Commit where blobs are to be put; nothing is written for those that are there, whole.

        One that is not as its row says gets another key, and so does one that another upload has begun with other
        bytes; begun with the same, it is shared.

        Raises:
            BackendUnavailableError: If other uploads of the same image go on overtaking this one.
        """
        claims: dict[NewBlob, Claim] = {}
        find = partial(rows.find_current, digests={each.digest for each in new})
        current = self._database.read(find) if are_known else []
        for _ in range(ATTEMPTS):
            there = {each: row for each in new for row in current if each.is_of(row) and each not in claims}
            claims |= {each: Claim(each, row) for each, row in there.items() if self._is_usable(each, row)}
            missing = [each for each in new if each not in claims]
            if not missing:
                return [claims[each] for each in new]
            unusable = [row.location for each, row in there.items() if each not in claims]
            wanted = [_pending(each) for each in missing]
            begin = partial(rows.begin, new=wanted, instead_of=unusable, now=time.time())
            current = self._database.write(begin)
        message = "other uploads of the same image go on overtaking this one; send it again"
        raise BackendUnavailableError(message, metadata={"backend": "catalog"}, retry_delay_seconds=OVERTAKEN_SECONDS)

    def write(self, claims: Sequence[Claim]) -> None:
        """Put blobs that are not there yet."""
        for claim in claims:
            if not claim.row.is_live:
                self._blobs.put(claim.row.location, claim.blob.data)

    def take_back(self, locations: Sequence[str]) -> None:
        """Delete blobs that were put too late: their rows had ended, and may be gone."""
        for location in locations:
            self._blobs.delete(location)

    def find_inputs(self, images: Collection[str]) -> dict[tuple[str, str], BlobRow]:
        """Return where the model inputs of images lie, by image and preprocessing: one statement for many `input`."""
        found = self._database.read(partial(rows.find_current, digests=set(images))) if images else []
        return {(row.digest, row.preprocessing): row for row in found if row.is_live and row.preprocessing}

    def input(self, image: str, preprocessing: str, *, found: BlobRow | None = None) -> UInt8Array | None:
        """Return an image's model input, or None.

        Args:
            image: Digest of the image.
            preprocessing: Digest of the preprocessing.
            found: Where it lies, if that is known.

        Raises:
            EmbeddingCorruptError: If it is not what was stored.
        """
        data = self._read(image, preprocessing, INPUT_DAMAGED, found)
        if data is None:
            return None
        array: UInt8Array = npy_array(data)
        if array.dtype != np.uint8 or array.ndim != 3:
            raise EmbeddingCorruptError(INPUT_DAMAGED, metadata={"image": image})
        return array

    def original(self, file: str) -> bytes | None:
        """Return the file that an image came in, or None where it is not kept.

        Raises:
            EmbeddingCorruptError: If it is not the file that was uploaded.
        """
        return self._read(file, "", ORIGINAL_DAMAGED)

    def _read(self, digest: str, preprocessing: str, damaged: str, found: BlobRow | None = None) -> bytes | None:
        """Return a blob as its row says it is; one that is replaced while it is read is looked for again."""
        find, looked_at = partial(rows.find_live, digest=digest, preprocessing=preprocessing), ""
        while True:
            row, found = found or self._database.read(find), None
            if row is None or row.location == looked_at:
                return None
            looked_at = row.location
            try:
                data = self._blobs.get(row.location)
            except BlobNotFoundError:
                continue
            if hashlib.sha256(data).hexdigest() != row.sha256:
                raise EmbeddingCorruptError(damaged, metadata={"image" if preprocessing else "file": digest})
            return data

    def _is_usable(self, new: NewBlob, row: BlobRow) -> bool:
        if not row.is_live:
            return row.sha256 == new.sha256
        try:
            return hashlib.sha256(self._blobs.get(row.location)).hexdigest() == row.sha256
        except BlobNotFoundError:
            return False


def _pending(new: NewBlob) -> BlobRow:
    location = new_location(new.digest, new.preprocessing)
    return BlobRow(location, new.digest, new.preprocessing, len(new.data), new.sha256)
