"""Whatever happens in whatever order, every explanation ends, with the same bytes, and nobody waits for nothing."""

import random
from collections.abc import Callable

import pytest

from support.explaining import World
from xmirad.errors import BackendUnavailableError, ExplanationNotFoundError, ItemNotFoundError, QueueFullError
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.ports import QueueName
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState

STEPS = 120
REQUESTS = 4


class Storm:
    """Readers, two slow workers, a sweeper and accidents, in an order that a seed chooses."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.world = World(max_waiting=40, budget_bytes=2_500)
        self.held: list[tuple[OcclusionEntry, int]] = []
        world = self.world
        self.steps: list[Callable[[], object]] = [
            self.create, self.create, self.take, self.take, self.take, self.tell, self.tell, self.tell,
            self.cancel, self.delete, self.damage, world.board.clear, world.queue.clear, self.outage,
            world.sweeper.sweep, world.evictor.evict,
        ]  # fmt: skip

    def step(self) -> None:
        try:
            self.random.choice(self.steps)()
        except (BackendUnavailableError, QueueFullError, ExplanationNotFoundError):
            self.world.now += 1.0  # the client is told, the worker and the sweeper come again

    def settle(self) -> None:
        self.world.board.is_down = self.world.queue.is_down = False
        for entry, chunk in self.held:
            self.world.completion.after_chunk(entry, chunk)
        for _ in range(8):
            for explanation in self.world.all_explanations():
                self.world.watcher.snapshot(explanation)  # finds what was damaged
            self.world.sweeper.sweep()
            self.world.work()

    def create(self) -> None:
        number = self.random.randrange(REQUESTS)
        side = ExplainedImage.BOTH if number == 3 else ExplainedImage.RESULT
        query, result = (self.world.query(3), 2) if number == 3 else (self.world.item(number), 2 + number % 2)
        queue = self.random.choice(list(QueueName))
        self.world.create(query=query, result=self.world.item(result), explained_image=side, queue=queue)

    def take(self) -> None:
        """Do a task up to the moment before anybody is told."""
        task = self.world.queue.take()
        if task and self.world.cache.is_wanted(task[0]):
            try:
                self.world.put(task[0], task[1])
            except ItemNotFoundError as error:  # a query that was deleted while the board was out of reach
                self.world.completion.fail_entry(task[0], error)
            else:
                self.held.append(task[:2])

    def tell(self) -> None:
        if self.held:
            entry, chunk = self.held.pop(self.random.randrange(len(self.held)))
            self.world.completion.after_chunk(entry, chunk)

    def cancel(self) -> None:
        self.world.completion.cancel(self.any())

    def delete(self) -> None:
        self.world.forgetter.delete(self.any())

    def damage(self) -> None:
        parts = ("occlusion/", "explanations/")
        found = [key for key in self.world.blobs.data if key.startswith(parts) and not key.endswith("request.json")]
        if found:
            self.world.blobs.damage(self.random.choice(sorted(found)))

    def outage(self) -> None:
        self.world.board.is_down = self.world.queue.is_down = not self.world.board.is_down

    def any(self) -> str:
        there = self.world.all_explanations()
        if not there:
            raise ExplanationNotFoundError("there is none")
        return self.random.choice(there)


@pytest.mark.parametrize("seed", range(25))
def test_every_explanation_ends_however_things_interleave(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(STEPS):
        storm.step()
    storm.settle()
    world = storm.world
    for explanation in world.all_explanations():
        snapshot = world.watcher.snapshot(explanation)
        assert snapshot.state in (ExplanationState.SUCCEEDED, ExplanationState.CANCELLED), snapshot.error
        if snapshot.maps:
            calm = World()
            for number in range(REQUESTS + 2):
                calm.item(number)
            calm.query(3)
            calm.creator.create(snapshot.asked.request, queue=QueueName.INTERACTIVE)
            calm.work()
            expected = calm.watcher.snapshot(explanation).maps
            assert [kept.pixels() for kept in snapshot.maps] == [kept.pixels() for kept in expected]
    assert world.waiting() == set()
