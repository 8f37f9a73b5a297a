"""Walking through the pages of a list."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from xmirad.client.calls import Page
from xmirad.errors import InternalError

Entry = TypeVar("Entry")


def entries_of_pages(page: Callable[[str], Page[Entry]]) -> Iterator[Entry]:
    """Yield the entries of all pages, fetching each when it is needed.

    Args:
        page: Returns the page of a token.

    Raises:
        InternalError: If a page names itself as the next, which would never end.
    """
    token: str | None = ""
    while token is not None:
        fetched = page(token)
        yield from fetched.entries
        token = following(token, fetched)


def following(token: str, page: Page[Entry]) -> str | None:
    """Return the token of the page after that of a token, or None after the last.

    Raises:
        InternalError: If the page names itself as the next, which would never end.
    """
    if page.next_token and page.next_token == token:
        raise InternalError("the service answered with a page that is followed by itself")
    return page.next_token or None
