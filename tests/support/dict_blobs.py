"""A blob store in a dictionary, for tests that look at what is stored."""

import time
from collections.abc import Iterator

from xmirad.blobs.port import BlobNotFoundError


class DictBlobs:
    """`BlobStore` without durability."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        if if_absent and key in self.data:
            return False
        self.data[key] = data
        return True

    def sync(self, key: str) -> None:
        """Do nothing: there is no disk."""

    def get(self, key: str) -> bytes:
        try:
            return self.data[key]
        except KeyError as error:
            raise BlobNotFoundError(key) from error

    def exists(self, key: str) -> bool:
        return key in self.data

    def put_time(self, key: str) -> float | None:
        return time.time() if key in self.data else None

    def delete(self, key: str) -> None:
        self.data.pop(key, None)

    def list(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in list(self.data) if key.startswith(prefix))  # threads write meanwhile

    def clear_unfinished(self) -> None:
        """Do nothing: a blob is there or not."""

    def damage(self, key: str) -> None:
        """Flip the bits of a blob's last byte."""
        data = self.data[key]
        self.data[key] = data[:-1] + bytes([data[-1] ^ 0xFF])
