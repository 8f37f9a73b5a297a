"""A service in memory for tests of the figures: the evaluation's, with pictures, embeddings and maps to look at."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from support.fake_evaluation import MODEL, FakeService, pixel_item
from xmirad.api.vocabulary import ItemView, QueryItemExclusion
from xmirad.client.explanation_types import Explanation, ExplanationUpdate
from xmirad.client.search_types import SearchResponse, SearchResult, SearchTimings, StreamedSearch
from xmirad.client.types import Item
from xmirad.datasets import Dataset
from xmirad.errors import XmiradError
from xmirad.types import ItemAttributes

SIZE = 24


@dataclass
class FakeFiguresService(FakeService):
    """Answers as the service does.

    Attributes:
        shows_embeddings: Whether the caller may see embeddings.
        gone: Names of items that are not found any more.
        image_error: What asking for a picture raises, or None.
        pictures: How many pictures were asked for.
    """

    shows_embeddings: bool = True
    gone: set[str] = field(default_factory=set)
    image_error: XmiradError | None = None
    pictures: int = 0

    def batch_get_items(self, archive: str, names: Sequence[str], *, view: ItemView) -> list[Item]:
        assert view is ItemView.EMBEDDING
        stored = self.archives[archive]
        return [
            Item(
                name=name,
                attributes=ItemAttributes(),
                image_digest=stored[name][1],
                geometry=None,
                identity=None,
                create_time=datetime(2024, 1, 1, tzinfo=UTC),
                embedding=stored[name][0] if self.shows_embeddings else None,
            )
            for name in names
            if name not in self.gone
        ]

    def item_image(self, name: str) -> bytes:
        if self.image_error is not None:
            raise self.image_error
        self.pictures += 1
        buffer = BytesIO()
        Image.fromarray(_noise(name, 255).astype(np.uint8)).convert("RGB").save(buffer, "PNG")
        return buffer.getvalue()

    def create_explanation(self, source: str, item: str, **options: Any) -> Explanation:  # noqa: ANN401 - passed on
        return _seen(super().create_explanation(source, item, **options))

    def watch_explanation(self, name: str) -> Iterator[ExplanationUpdate]:
        for update in super().watch_explanation(name):
            yield replace(update, explanation=_seen(update.explanation))

    def explanation(self, name: str) -> Explanation:
        return _seen(super().explanation(name))

    def _search(self, archive: str, search: StreamedSearch) -> SearchResponse:
        if not isinstance(search.source, str):
            return super()._search(archive, search)
        assert search.exact
        stored = self.archives[archive]
        query = stored[search.source][0]
        left_out = {*search.filter.excluded_items, *self.hidden}
        scored = sorted((-float(query @ stored[name][0]), name) for name in stored if name not in left_out)
        results = [SearchResult(name, rank, -score) for rank, (score, name) in enumerate(scored[: search.top_k], 1)]
        timings = SearchTimings(0.0, 0.0, 0.0)
        return SearchResponse(
            tuple(results), MODEL.name, "", len(scored), True, QueryItemExclusion.NONE, timings, "request"
        )


def _noise(text: str, largest: float) -> Any:  # noqa: ANN401 - an array of any kind
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return largest * np.random.default_rng(seed).random((SIZE, SIZE))


def _seen(explanation: Explanation) -> Explanation:
    """Give maps values of their pair and method."""
    values = _noise(f"{explanation.query_item} {explanation.item} {explanation.method}", 3.0).astype(np.float32)
    return replace(explanation, maps=tuple(replace(each, values=values) for each in explanation.maps))


def three_classes(folder: Path, *, each: int = 4) -> Dataset:
    """Return images of three classes, with one of each class that looks like the next one."""
    names = ("normal", "pneumonia", "COVID-19")
    items = []
    for number in range(3 * each):
        kind, turn = number % 3, number // 3
        pixels = [10, 10, 10, 10 + 5 * turn]
        pixels[kind] = 200
        if turn == 0:
            pixels = [12, 12, 12, 60]
            pixels[(kind + 1) % 3] = 200
        items.append(pixel_item(folder / f"i{number:02d}.png", pixels, labels=(names[kind],), patient=f"p{number}"))
    return Dataset("tiny", tuple(items))
