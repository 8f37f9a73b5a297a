"""Explanations complete whatever is killed, lost or broken on the way; on the real queue and worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.catalogs import location_of
from support.live_explainer import SMALL, LiveExplainer, live_explainer, wait_until
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName
from xmirad.explanations.scoring import entries_of
from xmirad.explanations.watching import Snapshot
from xmirad.queue.task_figures import FIGURES
from xmirad.types import ExplanationState

CHUNK_HEADER_BYTES = 44
MOST_LOST = 9
"""Three attempts of two processes side by side, two that are started in between, and one to be sure."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveExplainer]:
    with live_explainer(tmp_path / "home") as explainer:
        yield explainer


def _succeeded(snapshot: Snapshot) -> bool:
    assert snapshot.state is not ExplanationState.FAILED, snapshot.error
    return snapshot.state is ExplanationState.SUCCEEDED


def _half_done(snapshot: Snapshot) -> bool:
    return snapshot.windows_done > 100


def test_a_map_sharpens_until_it_is_exact_and_then_gets_its_fidelity(live: LiveExplainer) -> None:
    live.start_worker()
    explanation = live.create(live.request(live.image(1), live.image(2)))

    previews = live.wait(explanation, lambda snapshot: bool(snapshot.maps)).maps
    live.wait(explanation, _succeeded)
    settled = live.wait(explanation, lambda snapshot: snapshot.is_settled)

    assert not previews[0].saliency.exact
    assert previews[0].saliency.estimated_error is None  # the first level has nothing before it
    assert settled.maps[0].saliency.exact
    assert len(settled.maps[0].saliency.preview_errors) == 3
    fidelity = settled.maps[0].fidelity
    assert fidelity is not None
    assert len(fidelity.controls) == 10
    kinds = [event.fields["kind"] for event in live.watcher.events(explanation, after="")]
    assert kinds.index("preview") < kinds.index("state") < kinds.index("fidelity")


def test_maps_whose_assessment_fails_or_is_given_up_are_settled_without_fidelity(live: LiveExplainer) -> None:
    live.start_worker()
    first, second, third, result = (live.image(number) for number in (1, 3, 4, 2))
    live.wait(live.create(live.request(first, result, SMALL)), _succeeded)
    live.stop_worker()
    killing, failing = (live.create(live.request(query, result, SMALL)) for query in (second, third))
    live.server.set(f"xmirad:attempts:assess/{killing}/1", live.parts.most_attempts)
    live.blobs.delete(location_of(live.catalog, result.digest, live.artifact.preprocessing.digest))

    live.start_worker()

    reasons = [live.wait(each, lambda snapshot: snapshot.is_settled).no_fidelity for each in (killing, failing)]
    assert reasons == ["WORKER_LOST", "ITEM_NOT_FOUND"]


def test_another_query_about_the_same_image_computes_nothing(live: LiveExplainer) -> None:
    live.start_worker()
    first, second, result = live.image(1), live.image(3), live.image(2)
    live.wait(live.create(live.request(first, result, SMALL)), _succeeded)
    written = live.parts.board.counters()["cache_bytes_written"]
    live.stop_worker()

    warm = live.create(live.request(second, result, SMALL))

    assert live.watcher.snapshot(warm).state is ExplanationState.SUCCEEDED
    assert live.parts.board.counters()["cache_bytes_written"] == written
    assert live.parts.board.counters()["cache_hits"] == 1


def test_a_cold_and_a_warm_map_are_the_same_bytes(live: LiveExplainer) -> None:
    live.start_worker()
    request = live.request(live.image(1), live.image(2), SMALL)
    cold = live.wait(live.create(request), _succeeded).maps[0].pixels()
    live.forgetter.delete(request.explanation)

    warm = live.watcher.snapshot(live.create(request)).maps[0].pixels()

    assert warm == cold


def test_a_killed_process_of_the_worker_costs_nothing_but_time(live: LiveExplainer) -> None:
    live.start_worker()
    explanation = live.create(live.request(live.image(1), live.image(2)))
    live.wait(explanation, _half_done)

    live.worker_processes()[0].kill()

    assert live.wait(explanation, _succeeded).maps[0].saliency.exact


def test_a_killed_worker_costs_nothing_but_time(live: LiveExplainer) -> None:
    live.start_worker()
    explanation = live.create(live.request(live.image(1), live.image(2)))
    live.wait(explanation, _half_done)
    live.kill_worker()
    entry = entries_of(live.store.asked(explanation).request).popitem()[1]
    stored = set(range(len(entry.chunks))) - set(live.parts.cache.missing(entry))

    live.start_worker()

    assert stored
    # Whatever the worker had taken when it was killed is found by the sweeper.
    assert live.wait(explanation, _succeeded, sweep=True).maps[0].saliency.exact
    whole = f"{entry.location}whole"  # put together once the reader has the map
    wait_until(lambda: live.blobs.exists(whole))
    size = len(live.blobs.get(whole))
    most = size + len(entry.chunks) * CHUNK_HEADER_BYTES
    assert live.parts.board.counters()["cache_bytes_written"] <= most  # nothing was stored twice


def test_a_queue_that_loses_everything_is_filled_again_by_the_sweeper(live: LiveExplainer) -> None:
    live.start_worker()
    explanation = live.create(live.request(live.image(1), live.image(2)))
    live.wait(explanation, _half_done)

    live.server.flushall()

    assert live.wait(explanation, _succeeded, sweep=True).maps[0].saliency.exact


def test_a_queue_that_is_killed_and_started_again_goes_on(live: LiveExplainer) -> None:
    live.start_worker()
    explanation = live.create(live.request(live.image(1), live.image(2)))
    live.wait(explanation, _half_done)

    live.kill_server()
    live.start_server()

    assert live.wait(explanation, _succeeded, sweep=True).maps[0].saliency.exact


def test_an_image_that_kills_its_worker_fails_after_three_attempts_and_the_queue_flows_on(live: LiveExplainer) -> None:
    live.start_worker(XMIRAD_FAILPOINT="in_fill:1")
    request = live.request(live.image(1), live.image(2))
    poisoned = live.create(request)
    processes: set[int] = set()

    def has_ended(snapshot: Snapshot) -> bool:
        processes.update(process.pid for process in live.worker_processes())
        return snapshot.state.is_terminal

    failed = live.wait(poisoned, has_ended)

    assert len(entries_of(request).popitem()[1].chunks) > MOST_LOST
    assert len(processes) <= MOST_LOST
    assert failed.state is ExplanationState.FAILED
    assert failed.error is not None
    assert int(failed.error.metadata["attempts"]) in (3, 4)
    letters = live.parts.dead_letters.list()
    assert len(letters) == 1
    given_up = "finished|fill|given_up"  # counted by the worker once the failure is visible
    wait_until(lambda: live.server.hexists(FIGURES, given_up))
    assert int(live.server.hgetall(FIGURES)[given_up]) == len(letters)
    live.kill_worker()
    live.start_worker()
    # Whatever the worker had taken when it was killed is found by the sweeper.
    live.wait(live.create(live.request(live.image(3), live.image(4), SMALL)), _succeeded, sweep=True)
    live.parts.dead_letters.requeue(letters[0].key, want=live.parts.warmer.want)
    assert len(live.parts.dead_letters.list()) == len(letters) - 1
    again = live.create(request)
    assert live.wait(again, _succeeded, sweep=True).asked.attempt == 2


def test_a_thousand_equal_requests_are_one_job(live: LiveExplainer) -> None:
    request = live.request(live.image(1), live.image(2), SMALL)

    ids = {live.create(request) for _ in range(1_000)}

    entry = entries_of(request).popitem()[1]
    assert len(ids) == 1
    assert live.parts.queue.waiting(QueueName.INTERACTIVE) == len(entry.chunks)


def test_who_waits_comes_before_what_is_computed_ahead(live: LiveExplainer) -> None:
    behind = live.create(live.request(live.image(1), live.image(2)), QueueName.BACKGROUND)
    ahead = live.create(live.request(live.image(1), live.image(3), SMALL), QueueName.INTERACTIVE)

    live.start_worker()
    first, last = (live.wait(each, _succeeded).finish_time for each in (ahead, behind))

    assert first is not None
    assert last is not None
    assert first < last


def _warmed(live: LiveExplainer, *numbers: int) -> list[OcclusionEntry]:
    """Have something computed ahead for images."""
    requests = [live.request(live.image(1), live.image(number), SMALL) for number in numbers]
    entries = [entry for request in requests for entry in entries_of(request).values()]
    live.parts.warmer.warm(entries, embedding_size=live.artifact.embedding_size)
    return entries


def test_what_is_computed_ahead_goes_on_after_the_queue_has_lost_everything(live: LiveExplainer) -> None:
    entries = _warmed(live, 2, 3)
    live.server.flushall()
    live.start_worker()

    def is_complete() -> bool:
        live.sweeper.sweep()
        return not any(map(live.parts.cache.missing, entries))

    wait_until(is_complete, pause=0.1)


def test_workers_feed_themselves_what_is_computed_ahead(live: LiveExplainer) -> None:
    entries = _warmed(live, 2, 3)
    live.server.ltrim(QueueName.BACKGROUND, -1, -1)
    live.server.delete("xmirad:claims:explain.2.background")

    live.start_worker()

    wait_until(lambda: not any(map(live.parts.cache.missing, entries)))


def test_what_ends_its_workers_is_not_computed_ahead_again_and_again(live: LiveExplainer) -> None:
    live.start_worker(XMIRAD_FAILPOINT="in_fill:1")
    entries = _warmed(live, 2)

    def is_given_up() -> bool:
        live.sweeper.sweep()
        return live.parts.warmer.plan(entries, embedding_size=live.artifact.embedding_size).given_up == 1

    wait_until(is_given_up, pause=0.1)
    wait_until(lambda: live.parts.queue.waiting(QueueName.BACKGROUND) == 0)
    live.sweeper.sweep()
    assert live.parts.queue.waiting(QueueName.BACKGROUND) == 0


def test_of_two_explanations_of_an_image_one_can_be_cancelled(live: LiveExplainer) -> None:
    result = live.image(2)
    left, gone = (live.create(live.request(live.image(seed), result, SMALL)) for seed in (1, 3))
    live.parts.completion.cancel(gone)

    live.start_worker()

    live.wait(left, _succeeded)
    assert live.watcher.snapshot(gone).state is ExplanationState.CANCELLED


def test_work_that_nobody_waits_for_any_more_is_dropped(live: LiveExplainer) -> None:
    request = live.request(live.image(1), live.image(2), SMALL)
    live.parts.completion.cancel(live.create(request))

    live.start_worker()
    wait_until(lambda: live.parts.queue.waiting(QueueName.INTERACTIVE) == 0)
    live.stop_worker()

    entry = entries_of(request).popitem()[1]
    assert len(live.parts.cache.missing(entry)) == len(entry.chunks)


def _is_compacted(live: LiveExplainer, entry: OcclusionEntry) -> bool:
    """Return whether one blob has taken the place of all chunks, which happens once the reader has the map."""
    names = {key.removeprefix(entry.location) for key in live.blobs.list(entry.location)}
    return "whole" in names and not any(name.isdigit() for name in names)


def test_a_corrupt_chunk_is_found_and_computed_again(live: LiveExplainer) -> None:
    live.start_worker()
    request = live.request(live.image(1), live.image(2), SMALL)
    cold = live.wait(live.create(request), _succeeded).maps[0].pixels()
    entry = entries_of(request).popitem()[1]
    key = f"{entry.location}whole"
    wait_until(lambda: _is_compacted(live, entry))
    data = bytearray(live.blobs.get(key))
    data[-1] ^= 0xFF
    live.blobs.put(key, bytes(data))
    live.forgetter.delete(request.explanation)

    again = live.wait(live.create(request), _succeeded).maps[0].pixels()

    assert again == cold
    assert live.parts.board.counters()["cache_corrupt_chunks"] == 1


def test_a_worker_ends_within_seconds_when_it_is_told_to(live: LiveExplainer) -> None:
    live.start_worker()
    explanation = live.create(live.request(live.image(1), live.image(2)))
    live.wait(explanation, _half_done)

    assert live.stop_worker() == 0
    live.start_worker()

    live.wait(explanation, _succeeded)
