"""Walking through the pages of a list."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from xmirad.errors import InternalError

Entry = TypeVar("Entry")


def entries_of_pages(page: Callable[[str], tuple[Iterable[Entry], str]]) -> Iterator[Entry]:
    """Yield the entries of all pages, fetching each when it is needed.

    Args:
        page: Returns the entries of the page of a token, and the token of the next page; empty on the last.

    Raises:
        InternalError: If a page names itself as the next, which would never end.
    """
    token = ""
    while True:
        entries, next_token = page(token)
        yield from entries
        if not next_token:
            return
        if next_token == token:
            raise InternalError("the service answered with a page that is followed by itself")
        token = next_token
