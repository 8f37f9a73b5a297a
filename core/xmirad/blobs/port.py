"""What a blob store can do."""

from collections.abc import Iterator
from typing import Protocol


class BlobNotFoundError(KeyError):
    """No blob has this key."""


class BlobStore(Protocol):
    """Durable bytes under keys such as `items/chest/…`. Safe to use from many threads and processes."""

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Store a blob so that readers see all of it or nothing.

        Its content is on disk on return and outlives the process; its name outlives a loss of power after `sync`.

        Args:
            key: Where to store it.
            data: The bytes.
            if_absent: Leave a blob that is there alone; where the storage allows, it counts as put now.

        Returns:
            False if the blob was there and `if_absent` was set, else True.

        Raises:
            BackendUnavailableError: If the storage fails or is full.
        """
        ...

    def sync(self, key: str) -> None:
        """Have the name of a blob, and of all that were put before it, outlive a loss of power.

        Raises:
            BackendUnavailableError: If the storage fails.
        """
        ...

    def get(self, key: str) -> bytes:
        """Return a blob.

        Raises:
            BlobNotFoundError: If there is none.
            BackendUnavailableError: If the storage fails.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether a blob is there.

        Raises:
            BackendUnavailableError: If the storage fails.
        """
        ...

    def put_time(self, key: str) -> float | None:
        """Return when a blob was put last, in seconds since 1970 by the storage's clock, or None if there is none.

        Where the storage does not say, it is now.

        Raises:
            BackendUnavailableError: If the storage fails.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete a blob if it is there.

        Raises:
            BackendUnavailableError: If the storage fails.
        """
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix that ends with `/`, in sorted order.

        Raises:
            BackendUnavailableError: If the storage fails; a part that cannot be read is never passed over.
        """
        ...

    def clear_unfinished(self) -> None:
        """Delete what writers that were killed have left unfinished, once it is an hour old.

        Raises:
            BackendUnavailableError: If the storage fails.
        """
        ...
