"""Comparing ids and revisions finds exactly what differs, however it is spread over pages."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.indexing import comparison
from xmirad.indexing.comparison import Page, ReadPage, compare_range

HELD = st.dictionaries(st.sampled_from([f"{number:02}" for number in range(30)]), st.integers(1, 2))


def pages_of(held: dict[str, int]) -> ReadPage:
    async def read(after: str) -> Page:
        return sorted((item, revision) for item, revision in held.items() if item > after)[: comparison.PAGE]

    return read


@settings(deadline=None)
@given(recorded=HELD, stored=HELD, page=st.integers(1, 7))
def test_exactly_what_differs_is_found(recorded: dict[str, int], stored: dict[str, int], page: int) -> None:
    async def compare() -> tuple[int, set[str]]:
        items, different, after = 0, set[str](), ""
        while True:
            found = await compare_range(after, recorded=pages_of(recorded), stored=pages_of(stored))
            items, different, after = items + found.items, different | found.different, found.after
            if not after:
                return items, different

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "PAGE", page)
        items, different = asyncio.run(compare())
    assert items == len(recorded)
    assert different == {item for item in recorded | stored if recorded.get(item) != stored.get(item)}
