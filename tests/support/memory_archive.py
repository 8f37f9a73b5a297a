"""An archive in a list, for tests of what is built on archives: it counts how often it is asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xmirad.archive.conditions import All, AnyOf, Between, Condition, ItemIs, Not, PayloadField
from xmirad.archive.payload import facet_text, to_flat
from xmirad.archive.port import ArchiveBinding, ScoredItem, StoredItem
from xmirad.types import Float32Array


class MemoryArchive:
    """Implements `xmirad.archive.port.Archive`.

    `asked` holds the `top_k` of every query. Equal scores are returned in descending order of ids, which is the order
    that a search must not pass on.
    """

    always_exact = True

    def __init__(self, binding: ArchiveBinding, items: Sequence[StoredItem] = ()) -> None:
        self.binding = binding
        self.asked: list[int] = []
        self._items = {item.item: item for item in items}

    def upsert(self, items: Sequence[StoredItem]) -> None:
        self._items.update({item.item: item for item in items})

    def query(
        self,
        embedding: Float32Array,
        *,
        top_k: int,
        where: Condition | None = None,
        exact: bool = False,
        with_payload: bool = True,
    ) -> list[ScoredItem]:
        self.asked.append(top_k)
        scored = [
            ScoredItem(item.item, float(np.float32(item.embedding @ embedding)), item.payload if with_payload else None)
            for item in self._select(where)
            if item.embedding is not None
        ]
        return sorted(scored, key=lambda item: (item.score, item.item), reverse=True)[:top_k]

    def get(self, items: Sequence[str], *, with_embedding: bool = False) -> list[StoredItem]:
        found = [self._items[item] for item in items if item in self._items]
        return found if with_embedding else [replace(item, embedding=None) for item in found]

    def scan(
        self, *, after: str | None, limit: int, where: Condition | None = None, with_embedding: bool = False
    ) -> list[StoredItem]:
        ids = sorted(item.item for item in self._select(where) if after is None or item.item > after)
        return self.get(ids[:limit], with_embedding=with_embedding)

    def revisions(self, *, after: str | None, limit: int) -> list[tuple[str, int]]:
        return [(item.item, item.revision) for item in self.scan(after=after, limit=limit)]

    def delete(self, items: Sequence[str]) -> None:
        for item in items:
            self._items.pop(item, None)

    def count(self, where: Condition | None = None) -> int:
        return len(self._select(where))

    def facet(self, field: PayloadField, *, where: Condition | None = None) -> dict[str, int]:
        return dict(Counter(value for item in self._select(where) for value in values_of(item, field)))

    def optimize(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _select(self, where: Condition | None) -> list[StoredItem]:
        return [item for item in self._items.values() if where is None or holds(where, item)]


def values_of(item: StoredItem, field: PayloadField) -> list[str]:
    value = to_flat(item.payload).get(field.value, [])
    return [facet_text(each) for each in (value if isinstance(value, list) else [value])]


def holds(where: Condition, item: StoredItem) -> bool:
    match where:
        case AnyOf(field, values):
            return bool(set(values) & set(values_of(item, field)))
        case Between(field, first, last):
            value = to_flat(item.payload).get(field.value)
            return value is not None and (first is None or value >= first) and (last is None or value <= last)
        case ItemIs(items):
            return item.item in items
        case Not(condition):
            return not holds(condition, item)
        case All(conditions):
            return all(holds(condition, item) for condition in conditions)
