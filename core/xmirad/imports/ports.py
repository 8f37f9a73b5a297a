"""What imports need of a queue."""

from typing import Protocol

from xmirad.imports.records import ImportRequest


class ImportQueue(Protocol):
    """Publishes tasks of imports. What waits already is not published again.

    Every method raises BackendUnavailableError if it cannot be reached.
    """

    def publish(self, request: ImportRequest, segment: int | None) -> None:
        """Have some of an import done.

        Args:
            request: The import.
            segment: Which segment to go on with; None means to look into the folder first.
        """
        ...
