"""Compares what the vector store holds with the catalog, by ids and revisions, page by page. Counts prove nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

PAGE = 500
Page = Sequence[tuple[str, int]]
ReadPage = Callable[[str], Awaitable[Page]]
"""Returns the next `PAGE` ids and revisions in the order of ids, beginning behind an id; fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a range of ids came to.

    Attributes:
        items: How many items the catalog holds in it.
        different: Those that the store does not hold in their revision, and those that it should not hold.
        after: The range's last id, behind which the next range begins; empty at the end.
    """

    items: int
    different: frozenset[str]
    after: str


async def compare_range(after: str, *, recorded: ReadPage, stored: ReadPage) -> Difference:
    """Compare the next page of the catalog with the same range of the store."""
    wanted = await recorded(after)
    end = wanted[-1][0] if len(wanted) == PAGE else ""
    found: list[tuple[str, int]] = []
    position, is_over = after, False
    while not is_over:
        page = await stored(position)
        inside = [each for each in page if not end or each[0] <= end]
        found += inside
        is_over = len(inside) < PAGE
        position = page[-1][0] if page else position
    return Difference(len(wanted), frozenset(item for item, _ in set(wanted) ^ set(found)), end)
