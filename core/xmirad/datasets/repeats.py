"""Items that a list names twice."""

from xmirad.datasets.dataset import DatasetItem
from xmirad.datasets.problems import Place
from xmirad.errors import InvalidRequestError


class Repeats:
    """Remembers what was read, drops an exact repetition with a warning, and refuses a contradiction."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self.warnings: list[str] = []
        self._seen: dict[str, tuple[DatasetItem, Place]] = {}

    def is_new(self, item: DatasetItem, place: Place) -> bool:
        """Return whether the item is the first of its external id; without an id it always is.

        Raises:
            InvalidRequestError: If the id was used before for another file, or for the same file with other attributes.
        """
        if not item.external_id:
            return True
        first, where = self._seen.setdefault(item.external_id, (item, place))
        if first is item:
            return True
        if first == item:
            self.warnings.append(f"{place}: repeats {where} and was left out")
            return False
        what = "with other attributes" if first.path == item.path else f"for {first.path.name}"
        raise InvalidRequestError(
            f"{place}: the id {item.external_id!r} is used already in {where}, {what}; it must be unique",
            field="external_id",
            metadata={
                "file": str(place.file),
                "line": str(place.line),
                "column": "external_id",
                "value": item.external_id,
                "first_line": str(where.line),
            },
        )
