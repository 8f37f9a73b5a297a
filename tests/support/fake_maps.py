"""Explanations in memory for tests of the evaluation: a map is worth what its method and its pair say."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from xmirad.api.vocabulary import ExplanationPriority, MapQuality
from xmirad.client.explanation_types import (
    ActivationMethod,
    AttentionMethod,
    Explanation,
    ExplanationMap,
    ExplanationUpdate,
    MapAreas,
    MapFidelity,
    Method,
)
from xmirad.errors import XmiradError
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState, ImageGeometry

GEOMETRY = ImageGeometry(
    original_width=4, original_height=4, resized_width=4, resized_height=4, crop_left=0, crop_top=0, crop_size=4
)
FIDELITY = MapFidelity(0.25, (0.125, 0.0), Verdict.BETTER_THAN_CHANCE, MapAreas(0.75, 0.5), MapAreas(0.7, 0.55))
BLIND = MapFidelity(0.0, (0.125, 0.0), Verdict.NOT_BETTER_THAN_CHANCE, MapAreas(0.5, 0.5), MapAreas(0.5, 0.45))


@dataclass(frozen=True, slots=True)
class AskedMap:
    """What was asked of the fake."""

    query: str
    result: str
    method: Method
    published_fidelity: bool
    priority: ExplanationPriority


@dataclass
class FakeMaps:
    """Explains as the service does: a map at once or later, its fidelity after it.

    Attributes:
        asked: What was asked, in order.
        refusals: Errors that creating raises before it succeeds, first first.
        outcomes: What becomes of the maps of a method, instead of being worth something: an error, or the state
            CANCELLED.
        blind_archives: Archives whose maps are no better than chance.
        silent_looks: How often an explanation is looked at after its watch before it has its fidelity.
        looks: How often explanations were looked at.
    """

    asked: list[AskedMap] = field(default_factory=list)
    refusals: list[XmiradError] = field(default_factory=list)
    outcomes: dict[type[Method], XmiradError | ExplanationState] = field(default_factory=dict)
    blind_archives: set[str] = field(default_factory=set)
    silent_looks: int = 0
    looks: int = 0
    explanations: dict[str, Explanation] = field(default_factory=dict)

    def create_explanation(
        self, source: str, item: str, *, method: Method, published_fidelity: bool, priority: ExplanationPriority
    ) -> Explanation:
        if self.refusals:
            raise self.refusals.pop(0)
        self.asked.append(AskedMap(source, item, method, published_fidelity, priority))
        name = "explanations/" + hashlib.sha256(f"{source} {item} {method}".encode()).hexdigest()
        created = _explanation(name, source, item, method)
        self.explanations[name] = created
        return created if not isinstance(method, ActivationMethod) else _mapped(created, None)

    def watch_explanation(self, name: str) -> Iterator[ExplanationUpdate]:
        created = self.explanations[name]
        yield ExplanationUpdate(replace(created, state=ExplanationState.RUNNING), "1")
        outcome = self.outcomes.get(type(created.method))
        if isinstance(outcome, XmiradError):
            yield ExplanationUpdate(replace(created, state=ExplanationState.FAILED, error=outcome), "2")
        elif outcome is not None:
            yield ExplanationUpdate(replace(created, state=outcome), "2")
        else:
            yield ExplanationUpdate(_mapped(created, None), "2")
            if not self.silent_looks:
                yield ExplanationUpdate(_mapped(created, self._worth(created)), "3")

    def explanation(self, name: str) -> Explanation:
        self.looks += 1
        created = self.explanations[name]
        return _mapped(created, self._worth(created) if self.looks > self.silent_looks else None)

    def _worth(self, explanation: Explanation) -> MapFidelity:
        if explanation.item.split("/")[1] in self.blind_archives:
            return BLIND
        better = replace(FIDELITY, fidelity=0.5, areas=MapAreas(0.75, 0.25))
        return better if isinstance(explanation.method, AttentionMethod) else FIDELITY


def _explanation(name: str, source: str, item: str, method: Method) -> Explanation:
    return Explanation(
        name=name,
        state=ExplanationState.QUEUED,
        create_time=datetime(2024, 1, 1, tzinfo=UTC),
        finish_time=None,
        windows_done=0,
        windows_total=0,
        item=item,
        query_item=source,
        query_digest="cd" * 32,
        method=method,
        explained_image=ExplainedImage.RESULT,
        contrast_item="",
        model="models/" + "ab12" * 16,
        maps=(),
        error=None,
        attempt=1,
    )


def _mapped(explanation: Explanation, fidelity: MapFidelity | None) -> Explanation:
    saliency = ExplanationMap(
        explained_image=ExplainedImage.RESULT,
        values=np.zeros((4, 4), np.float32),
        signed=False,
        meaning="nothing",
        geometry=GEOMETRY,
        quality=MapQuality.EXACT,
        fidelity=fidelity,
    )
    return replace(explanation, state=ExplanationState.SUCCEEDED, maps=(saliency,))
