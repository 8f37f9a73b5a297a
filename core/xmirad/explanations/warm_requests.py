"""What is to be computed ahead: a small record of each cache entry in the blob store, which outlives any queue."""

import logging
from collections.abc import Iterator
from typing import Any

from xmirad.blobs import keys
from xmirad.blobs.port import BlobNotFoundError, BlobStore
from xmirad.errors import EmbeddingCorruptError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.sealing import sealed, unsealed

_log = logging.getLogger(__name__)


class WarmRequests:
    """Records of entries that are to be filled although nobody waits for them. Safe to use from many processes."""

    def __init__(self, blobs: BlobStore) -> None:
        """Keep them in a blob store, below their images: they go with them."""
        self._blobs = blobs

    def add(self, entry: OcclusionEntry) -> bool:
        """Ask for an entry. Return False if it is asked for already and not given up."""
        document = self._read(_key(entry))
        if document is not None and not document["reason"]:
            return False
        self._write(entry, reason="")
        return True

    def give_up(self, entry: OcclusionEntry, reason: str) -> None:
        """Say that an entry cannot be filled; it is left alone until it is asked for again."""
        if self._blobs.exists(_key(entry)):
            self._write(entry, reason=reason)

    def is_given_up(self, entry: OcclusionEntry) -> bool:
        """Return whether an entry was asked for and could not be filled."""
        document = self._read(_key(entry))
        return document is not None and bool(document["reason"])

    def remove(self, entry: OcclusionEntry) -> bool:
        """Ask for an entry no more. Return whether it was asked for."""
        is_there = self._blobs.exists(_key(entry))
        self._blobs.delete(_key(entry))
        return is_there

    def pending(self) -> Iterator[OcclusionEntry]:
        """Yield the entries that are asked for and not given up; those of images that are gone are dropped."""
        for key in list(self._blobs.list(keys.WARMING)):
            document = self._read(key)
            if document is None:
                continue
            try:
                entry, reason = OcclusionEntry.from_document(document["entry"]), document["reason"]
            except (KeyError, TypeError, ValueError):
                _log.warning("warming.request_unreadable", exc_info=True)
                self._blobs.delete(key)
                continue
            if not self._blobs.exists(keys.model_input(entry.image, entry.preprocessing)):
                self._blobs.delete(key)
            elif not reason:
                yield entry

    def _write(self, entry: OcclusionEntry, *, reason: str) -> None:
        self._blobs.put(_key(entry), sealed({"entry": entry.to_document(), "reason": reason}))

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            return unsealed(self._blobs.get(key))
        except BlobNotFoundError:
            return None
        except EmbeddingCorruptError:
            _log.warning("warming.request_corrupt")
            self._blobs.delete(key)
            return None


def _key(entry: OcclusionEntry) -> str:
    return f"{keys.warming(entry.image)}{entry.key}"
