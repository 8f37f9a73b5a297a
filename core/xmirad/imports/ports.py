"""What imports need of a queue."""

from typing import Protocol


class ImportQueue(Protocol):
    """Publishes tasks of imports. What waits already is not published again.

    Every method raises BackendUnavailableError if it cannot be reached.
    """

    def publish(self, archive: str, number: int, segment: int | None) -> None:
        """Have some of an import done.

        Args:
            archive: The archive's id.
            number: Which import into it.
            segment: Which segment to go on with; None means to look into the folder first.
        """
        ...
