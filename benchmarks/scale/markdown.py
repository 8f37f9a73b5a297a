"""Tables of the page."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.scale.cells import Json


def name_of(cell: Json) -> list[str]:
    """Return the first columns of a row on a cell: items, components, index."""
    return [f"{cell['items']:,}", str(cell["embedding_size"]), cell["index"]]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
