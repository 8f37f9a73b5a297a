"""Follows an explanation: what changed, and when there is nothing more to come. Holds no thread while it waits."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.explanations.watching import Snapshot
from xmirad.types import ExplanationState
from xmirad_services.retrieval.explaining import Explainer

POLL_SECONDS = 0.25
LOOK_SECONDS = 2.0  # without a word of the board, which may have lost everything
FIDELITY_SECONDS = 180.0
BEGINNING = "0-0"
_TOKEN = re.compile(r"\d{1,19}-\d{1,19}")  # what 64 bits hold


async def watched(
    explainer: Explainer, explanation: str, *, site: str, token: str
) -> AsyncIterator[tuple[Snapshot, str]]:
    """Yield an explanation as it is now and after every change, each with the token to go on behind it.

    Args:
        explainer: Reads it.
        explanation: Its id.
        site: Whose it must be.
        token: That of the last change seen, or an empty string.

    Raises:
        InvalidRequestError: If the token is none of ours.
        ExplanationNotFoundError: If there is no such explanation, or it is deleted meanwhile.
        BackendUnavailableError: If the service is about to stop; another one takes the token.
    """
    if token and not _TOKEN.fullmatch(token):
        message = "resume_token must be the resume_token of a message received before"
        raise InvalidRequestError(message, field="resume_token")
    token = token or BEGINNING
    while True:
        news = await explainer.events(explanation, after=token)
        token = news[-1].token if news else token
        snapshot = await explainer.snapshot(explanation, site=site)
        yield snapshot, token
        if _is_over(snapshot, explainer):
            return
        while not await _changed(explainer, snapshot, token):
            if _is_over(snapshot, explainer):
                return


async def _changed(explainer: Explainer, seen: Snapshot, token: str) -> bool:
    """Wait until something was announced behind a token, or changed without a word; False after a while."""
    asked, until = seen.asked.request, time.monotonic() + LOOK_SECONDS
    while time.monotonic() < until:
        await _pause(explainer)
        if await explainer.events(asked.explanation, after=token):
            return True
    return (await explainer.snapshot(asked.explanation, site=asked.site)).mark != seen.mark


async def _pause(explainer: Explainer) -> None:
    try:
        await asyncio.wait_for(explainer.leaving.wait(), POLL_SECONDS)
    except TimeoutError:
        return
    message = "the service is about to stop; go on with the resume token"
    raise BackendUnavailableError(message, metadata={"backend": "service"}, retry_delay_seconds=POLL_SECONDS)


def _is_over(snapshot: Snapshot, explainer: Explainer) -> bool:
    """Return whether nothing more is worth waiting for."""
    if not snapshot.state.is_terminal or snapshot.is_settled:
        return snapshot.state.is_terminal
    finished = snapshot.finish_time or 0.0
    is_old = time.time() > finished + FIDELITY_SECONDS
    return snapshot.state is not ExplanationState.SUCCEEDED or is_old or not explainer.parts.has_queue
