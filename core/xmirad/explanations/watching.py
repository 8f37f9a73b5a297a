"""What someone who watches an explanation sees: all that is known of it at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.ports import Board, BoardEvent
from xmirad.explanations.results import KeptMap
from xmirad.explanations.scoring import entries_of
from xmirad.explanations.store import Asked, ExplanationStore
from xmirad.types import ExplanationState


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """An explanation at one moment.

    Attributes:
        asked: What was asked.
        state: How far it is.
        windows_done: Windows that are evaluated; equal to `windows_total` once it is finished.
        windows_total: Windows that there are; 0 for methods without windows.
        maps: The best maps so far, that of the query first.
        finish_time: When it came to its end, in seconds since 1970, or None.
        error: Why it failed, or None.
        no_fidelity: Why its maps have no fidelity and will get none, a stable word; empty if they have or may get it.
    """

    asked: Asked
    state: ExplanationState
    windows_done: int
    windows_total: int
    maps: tuple[KeptMap, ...] = ()
    finish_time: float | None = None
    error: XmiradError | None = None
    no_fidelity: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will come: it has ended, and its maps, if any, are assessed or cannot be."""
        is_assessed = all(kept.fidelity is not None for kept in self.maps)
        return self.state.is_terminal and (is_assessed or bool(self.no_fidelity))

    @property
    def mark(self) -> Mapping[str, object]:
        """What tells this moment from another one."""
        qualities = [(kept.saliency.exact, kept.saliency.estimated_error, kept.fidelity is None) for kept in self.maps]
        seen = {"attempt": self.asked.attempt, "state": self.state, "done": self.windows_done, "maps": qualities}
        return seen | {"no_fidelity": self.no_fidelity}


class Watcher:
    """Reads explanations, and the board for when to look again. Safe to use from many threads."""

    def __init__(self, store: ExplanationStore, cache: OcclusionCache, board: Board) -> None:
        """Look at what is stored."""
        self._store = store
        self._cache = cache
        self._board = board

    def snapshot(self, explanation: str, *, with_maps: bool = True) -> Snapshot:
        """Return what is known of an explanation.

        Raises:
            ExplanationNotFoundError: If there is no such explanation.
            BackendUnavailableError: If the catalog or the blob store fails.
        """
        return self.snapshot_of(self._store.asked(explanation), with_maps=with_maps)

    def snapshot_of(self, asked: Asked, *, with_maps: bool = True) -> Snapshot:
        """Return what is known of an attempt.

        Raises:
            BackendUnavailableError: If the catalog or the blob store fails.
        """
        entries = entries_of(asked.request).values()
        total = sum(entry.lattice.windows for entry in entries)
        outcome = self._store.outcome(asked, with_maps=with_maps)
        if outcome is None:
            done = sum(map(self._cache.windows_there, entries))
            state = ExplanationState.RUNNING if done else ExplanationState.QUEUED
            return Snapshot(asked, state, done, total, self._store.preview(asked) if with_maps else ())
        done = total if outcome.state is ExplanationState.SUCCEEDED else 0
        ending = (outcome.finish_time, outcome.error, outcome.no_fidelity)
        return Snapshot(asked, outcome.state, done, total, outcome.maps, *ending)

    def events(self, explanation: str, *, after: str) -> tuple[BoardEvent, ...]:
        """Return what happened after a token; nothing if the board cannot be reached or has lost it."""
        try:
            return tuple(self._board.events(explanation, after=after))
        except BackendUnavailableError:
            return ()
