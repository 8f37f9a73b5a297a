"""Watching an explanation: what is sent, and when the stream ends."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.explanations.ports import BoardEvent, QueueName
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference
from xmirad.explanations.results import KeptMap
from xmirad.explanations.store import Asked
from xmirad.explanations.watching import Snapshot
from xmirad.saliency.method import ExplainedImage, SaliencyMap
from xmirad.types import ExplanationState
from xmirad_services.retrieval import watching
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.watching import watched

ITEM = ImageReference(ImageKind.ITEM, "ab" * 32, "item")
REQUEST = ExplanationRequest(site="local", archive="a", model="m", preprocessing="p", size=224, query=ITEM, result=ITEM)
QUEUED = Snapshot(Asked(REQUEST, 1, QueueName.INTERACTIVE, 0.0), ExplanationState.QUEUED, 0, 2401)
CANCELLED = replace(QUEUED, state=ExplanationState.CANCELLED, finish_time=1.0)


class ScriptedExplainer:
    """Shows one snapshot after the other, a new one with every announced event."""

    def __init__(self, *snapshots: Snapshot, announces: bool = True) -> None:
        self.leaving = asyncio.Event()
        self.parts = SimpleNamespace(has_queue=True)
        self._snapshots = list(snapshots)
        self._announces = announces
        self._events = 0

    async def snapshot(self, explanation: str, *, site: str) -> Snapshot:
        return self._snapshots.pop(0) if len(self._snapshots) > 1 else self._snapshots[0]

    async def events(self, explanation: str, *, after: str) -> Sequence[BoardEvent]:
        if not self._announces or len(self._snapshots) < 2:
            return ()
        self._events += 1
        return (BoardEvent(f"{self._events}-0", {"kind": "state"}),)


async def seen(explainer: ScriptedExplainer, token: str = "") -> list[tuple[ExplanationState, str]]:
    stream = watched(cast("Explainer", explainer), REQUEST.explanation, site="local", token=token)
    return [(snapshot.state, token) async for snapshot, token in stream]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.005)


async def test_every_announced_change_is_sent_with_its_token_until_the_last_state() -> None:
    sent = await seen(ScriptedExplainer(QUEUED, replace(QUEUED, state=ExplanationState.RUNNING), CANCELLED))

    assert [state for state, _ in sent] == ["queued", "running", "cancelled"]
    assert sent[0][1] == "1-0"


async def test_a_change_without_a_word_is_found_by_looking() -> None:
    sent = await seen(ScriptedExplainer(QUEUED, CANCELLED, CANCELLED, announces=False))

    assert sent == [(ExplanationState.QUEUED, "0-0"), (ExplanationState.CANCELLED, "0-0")]


async def test_a_finished_explanation_is_sent_once() -> None:
    assert await seen(ScriptedExplainer(CANCELLED), token="7-1") == [(ExplanationState.CANCELLED, "7-1")]


async def test_a_watch_ends_as_soon_as_it_is_known_that_there_will_be_no_fidelity() -> None:
    values = np.zeros((4, 4), dtype=np.float32)
    kept = KeptMap(SaliencyMap(values, ExplainedImage.RESULT, signed=False, exact=True))
    unassessed = replace(QUEUED, state=ExplanationState.SUCCEEDED, finish_time=time.time(), maps=(kept,))
    given_up = replace(unassessed, no_fidelity="MODEL_NOT_FOUND")

    announced = await seen(ScriptedExplainer(unassessed, given_up))
    found = await seen(ScriptedExplainer(unassessed, given_up, given_up, announces=False))

    assert len(announced) == len(found) == 2


async def test_a_service_that_stops_ends_its_watches_at_once() -> None:
    explainer = ScriptedExplainer(QUEUED, announces=False)
    explainer.leaving.set()

    with pytest.raises(BackendUnavailableError, match="resume token") as caught:
        await seen(explainer)
    assert caught.value.metadata == {"backend": "service"}


@pytest.mark.parametrize("token", ["(0", "-", "1", "a-b", "1-0 ", "9" * 40 + "-0"])
async def test_a_token_of_nobody_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequestError):
        await seen(ScriptedExplainer(CANCELLED), token=token)


async def test_closing_a_watch_leaves_nothing_running() -> None:
    stream: Any = watched(cast("Explainer", ScriptedExplainer(QUEUED, announces=False)), "x", site="local", token="")
    await anext(stream)
    before = len(asyncio.all_tasks())

    await stream.aclose()

    assert len(asyncio.all_tasks()) <= before
