"""A client whose explanations sharpen in three steps: a preview, the exact map, its fidelity."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from support.fake_client import MODEL, FakeClient
from xmirad.api.vocabulary import MapQuality
from xmirad.client.explanation_types import (
    Explanation,
    ExplanationMap,
    ExplanationUpdate,
    MapAreas,
    MapFidelity,
    OcclusionMethod,
    WarmFigures,
)
from xmirad.errors import XmiradError
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState, ImageGeometry

NAME = "explanations/" + "ef" * 32
GEOMETRY = ImageGeometry(
    original_width=8, original_height=8, resized_width=8, resized_height=8, crop_left=2, crop_top=2, crop_size=4
)
PREVIEW = ExplanationMap(
    explained_image=ExplainedImage.RESULT,
    values=np.full((4, 4), 0.25, np.float32),
    signed=False,
    meaning="how much farther",
    geometry=GEOMETRY,
    quality=MapQuality.APPROXIMATE,
    estimated_error=0.5,
    overlay_png=b"preview",
)
EXACT = replace(PREVIEW, quality=MapQuality.EXACT, estimated_error=None, preview_errors=(0.4,), overlay_png=b"exact")
ASSESSED = replace(EXACT, fidelity=MapFidelity(0.3, (0.1, 0.2), Verdict.BETTER_THAN_CHANCE, MapAreas(0.7, 0.4)))
QUEUED = Explanation(
    name=NAME,
    state=ExplanationState.QUEUED,
    create_time=datetime(2026, 1, 2, tzinfo=UTC),
    finish_time=None,
    windows_done=0,
    windows_total=9,
    item="archives/chest/items/a",
    query_item="",
    query_digest="cd" * 32,
    method=OcclusionMethod(),
    explained_image=ExplainedImage.RESULT,
    contrast_item="",
    model=MODEL,
    maps=(),
    error=None,
    attempt=1,
)
RUNNING = replace(QUEUED, state=ExplanationState.RUNNING, windows_done=4, maps=(PREVIEW,))
DONE = replace(QUEUED, state=ExplanationState.SUCCEEDED, windows_done=9, maps=(EXACT,))


class FakeExplainingClient(FakeClient):
    """Explains as the SDK's client does, as far as the commands use it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = QUEUED
        self.later = [RUNNING, DONE, replace(DONE, maps=(ASSESSED,))]
        self.missing_windows = [100, 100, 40, 0]
        self.given_up_items = 0
        self.interrupts_at: int | None = None
        self.stored = [QUEUED]

    def create_explanation(self, source: object, item: str, **options: object) -> Explanation:
        self.calls.append(("create_explanation", {"source": source, "item": item, **options}))
        return self.first

    def explanations(self, *, archive: str = "") -> Iterator[Explanation]:
        return (each for each in self.stored if not archive or each.item.startswith(f"archives/{archive}/"))

    def cancel_explanation(self, name: str) -> Explanation:
        self.calls.append(("cancel_explanation", {"name": name}))
        found = next(each for each in self.stored if each.name == name)
        return found if found.is_done else replace(found, state=ExplanationState.CANCELLED)

    def watch_explanation(self, name: str, **_: object) -> Iterator[ExplanationUpdate]:
        assert name == NAME
        for number, explanation in enumerate(self.later):
            if number == self.interrupts_at:
                raise KeyboardInterrupt
            yield ExplanationUpdate(explanation, str(number))

    def fail_with(self, error: XmiradError) -> None:
        self.later = [replace(QUEUED, state=ExplanationState.FAILED, error=error)]

    def warm(self, archive: str, **options: Any) -> WarmFigures:  # noqa: ANN401 - recorded as they are
        self.calls.append(("warm", {"archive": archive, **options}))
        missing = self.missing_windows.pop(0) if len(self.missing_windows) > 1 else self.missing_windows[0]
        complete = 1 if missing else 2
        return WarmFigures(2, complete, missing, 1.0, 4 << 20, 100 << 20, 5, given_up_items=self.given_up_items)

    def cancel_warming(self, archive: str, **options: Any) -> WarmFigures:  # noqa: ANN401 - recorded as they are
        self.calls.append(("cancel_warming", {"archive": archive, **options}))
        return WarmFigures(2, 1, 40, 1.0, 4 << 20, 100 << 20, 0, cancelled_images=1)
