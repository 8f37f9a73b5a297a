"""What every archive is asked, and the exact answers by brute force over the vectors themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.scale.population import (
    QUERIES,
    SITES,
    Block,
    IntArray,
    Population,
    class_label,
    cluster_label,
    item_name,
    patient_name,
)
from xmirad.archive.search import SearchQuery
from xmirad.types import Float32Array, ItemFilter, PatientPolicy

TOP_K = 10
KEPT = 128
"""Best items kept for each query: enough for ten patients of three images each."""

Mask = np.typing.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of search.

    Attributes:
        query: From a block of queries and a row to what the archive is asked.
        takes_part: From that block and a block of items to which items may answer which query, `[Q, N]`.
        by_patient: Whether only the best item of a patient counts.
        of_items: Whether queries are stored items instead of new images.
    """

    query: Callable[[Block, int], SearchQuery]
    takes_part: Callable[[Block, Block], Mask]
    by_patient: bool = False
    of_items: bool = False


def _search(block: Block, row: int, **more: object) -> SearchQuery:
    return SearchQuery(block.vectors[row], TOP_K, **more)  # type: ignore[arg-type] # by name, checked by the dataclass


def _at(site: str) -> Callable[[Block, Block], Mask]:
    number = SITES.index(site)
    return lambda queries, items: np.broadcast_to(items.sites == number, (len(queries.vectors), len(items.vectors)))


_local = _at("local")

QUESTIONS: Mapping[str, Question] = {
    "plain": Question(_search, _local),
    "class label": Question(
        lambda block, row: _search(block, row, filter=ItemFilter(labels=(class_label(block.classes[row]),))),
        lambda queries, items: _local(queries, items) & (queries.classes[:, None] == items.classes),
    ),
    "cluster label": Question(
        lambda block, row: _search(block, row, filter=ItemFilter(labels=(cluster_label(block.clusters[row]),))),
        lambda queries, items: _local(queries, items) & (queries.clusters[:, None] == items.clusters),
    ),
    "site of 10 %": Question(lambda block, row: _search(block, row, site="north"), _at("north")),
    "site of 1 %": Question(lambda block, row: _search(block, row, site="south"), _at("south")),
    "grouped by patient": Question(
        lambda block, row: _search(block, row, policy=PatientPolicy.GROUP), _local, by_patient=True
    ),
    "own patient excluded": Question(
        lambda block, row: _search(
            block,
            row,
            policy=PatientPolicy.EXCLUDE,
            patient=patient_name(block.patients[row]),
            patient_known=True,
            excluded_item=item_name(block.first + row),
        ),
        lambda queries, items: _local(queries, items) & (queries.patients[:, None] != items.patients),
        of_items=True,
    ),
}


def query_block(population: Population, question: Question, count: int) -> Block:
    """Return the queries of a question: new images, or items that every archive holds."""
    block = population.block(0 if question.of_items else QUERIES)
    return block.head(count)


def exact_answers(population: Population, items: int, queries: int) -> dict[str, IntArray]:
    """Return the numbers of the best items for each query of each question, `[Q, 10]`, -1 where there is none."""
    asked = {name: query_block(population, question, queries) for name, question in QUESTIONS.items()}
    best = {name: _Best(queries) for name in QUESTIONS}
    for block in population.blocks(items):
        for name, question in QUESTIONS.items():
            scores = asked[name].vectors @ block.vectors.T
            best[name].add(np.where(question.takes_part(asked[name], block), scores, -np.inf), block)
    return {name: best[name].answers(by_patient=question.by_patient) for name, question in QUESTIONS.items()}


def recall(found: list[list[str]], exact: IntArray) -> float:
    """Return the share of the exact answers that were found; of fewer than ten, all of them."""
    named = [{item_name(number) for number in row if number >= 0} for row in exact]
    wanted = sum(len(names) for names in named)
    return sum(len(names & set(answer)) for names, answer in zip(named, found, strict=True)) / max(1, wanted)


def save_answers(path: Path, answers: Mapping[str, IntArray]) -> None:
    """Write exact answers."""
    np.savez(path, **dict(answers))  # type: ignore[arg-type] # names are keywords


def load_answers(path: Path) -> dict[str, IntArray]:
    """Read exact answers."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


class _Best:
    """The best items of each query so far."""

    def __init__(self, queries: int) -> None:
        self._scores: Float32Array = np.full((queries, KEPT), -np.inf, np.float32)
        self._items: IntArray = np.full((queries, KEPT), -1, np.int64)
        self._patients: IntArray = np.full((queries, KEPT), -1, np.int64)

    def add(self, scores: Float32Array, block: Block) -> None:
        """Take the scores of a block, `[Q, N]`, minus infinity for items that do not take part."""
        numbers = np.arange(block.first, block.first + len(block.vectors))
        joined = np.concatenate([self._scores, scores.astype(np.float32)], axis=1)
        order = np.argpartition(-joined, KEPT - 1, axis=1)[:, :KEPT]
        self._items = self._picked(self._items, numbers, order)
        self._patients = self._picked(self._patients, block.patients, order)
        self._scores = np.take_along_axis(joined, order, axis=1)

    def answers(self, *, by_patient: bool) -> IntArray:
        """Return the ten best items of each query, `[Q, 10]`."""
        answers = np.full((len(self._scores), TOP_K), -1, np.int64)
        for row, order in enumerate(np.argsort(-self._scores, axis=1)):
            there = [place for place in order if np.isfinite(self._scores[row, place])]
            if by_patient:
                first: dict[int, int] = {}
                for place in there:
                    first.setdefault(int(self._patients[row, place]), place)
                there = list(first.values())
            answers[row, : len(there[:TOP_K])] = self._items[row, there[:TOP_K]]
        return answers

    @staticmethod
    def _picked(kept: IntArray, fresh: IntArray, order: IntArray) -> IntArray:
        wide = np.concatenate([kept, np.broadcast_to(fresh, (len(kept), len(fresh)))], axis=1)
        picked: IntArray = np.take_along_axis(wide, order, axis=1)
        return picked
