"""Choosing the queries of a grid: one of each class whose results are all correct, and one whose are all wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmirad.datasets import DatasetItem
from xmirad.errors import InvalidRequestError
from xmirad.figures.ranking import RankedItem
from xmirad.figures.subject import Subject

MAX_CLASSES = 8
_STREAM = 0xF16  # keeps the draws independent of those of the evaluation


@dataclass(frozen=True, slots=True)
class Case:
    """A row of a grid.

    Attributes:
        label: The class that the query stands for.
        ranked: The query with its results.
        alike: How many queries of the class have as many correct results as the panel asks for; 0: none has, and this
            one is the nearest to it.
        others: How many queries the class has.
    """

    label: str
    ranked: RankedItem
    alike: int
    others: int


@dataclass(frozen=True, slots=True)
class Panel:
    """Some rows of a grid.

    Attributes:
        letter: `A`, `B`, or an empty string.
        title: What the rows have in common.
        cases: The rows.
        absent: Classes without a query that comes near it.
    """

    letter: str
    title: str
    cases: tuple[Case, ...]
    absent: tuple[str, ...] = ()


def drawn_panels(subject: Subject, ranked: Mapping[int, RankedItem], *, seed: int) -> tuple[Panel, ...]:
    """Draw a query of each of the eight largest classes for either panel.

    Queries whose results show other patients are preferred.

    Args:
        subject: The archive.
        ranked: The first results by query.
        seed: Equal seeds draw equal queries.

    Raises:
        InvalidRequestError: If there are fewer than two classes, so that nothing can be wrong.
    """
    labels = subject.labels
    if len(labels) < 2:
        found = f"the only one is {labels[0]}" if labels else "there is none"
        raise InvalidRequestError(f"a grid needs two classes or more; {found}", field="path")
    sizes = {label: len(subject.members(label)) for label in labels}
    largest = set(sorted(labels, key=lambda label: -sizes[label])[:MAX_CLASSES])
    shown = [label for label in labels if label in largest]
    count = max((len(each.results) for each in ranked.values()), default=0)
    first = "first result" if count == 1 else f"first {count} results"
    return (
        _panel(subject, ranked, shown, letter="A", title=f"{first} all correct", correct=count, seed=seed),
        _panel(subject, ranked, shown, letter="B", title=f"{first} all incorrect", correct=0, seed=seed),
    )


def named_panels(subject: Subject, ranked: Mapping[int, RankedItem], names: Sequence[str]) -> tuple[Panel, ...]:
    """Return one panel of the queries that are named.

    Args:
        subject: The archive.
        ranked: The first results by query.
        names: Identifiers, names of files, or paths.

    Raises:
        InvalidRequestError: If there is no such image in the archive, or it has no label.
    """
    positions = _by_name(subject.items)
    cases = []
    for name in names:
        query = _position(positions, name)
        if query is None or query not in ranked:
            raise _unknown(name)
        label = subject.items[query].attributes.labels[0]
        cases.append(Case(label, ranked[query], alike=1, others=len(subject.members(label))))
    return (Panel("", "chosen queries", tuple(cases)),)


def require_queries(items: Sequence[DatasetItem], names: Sequence[str]) -> None:
    """Check that images of these names can be shown as queries.

    Raises:
        InvalidRequestError: If there is no such image, or it has no label.
    """
    positions = _by_name(items)
    for name in names:
        position = _position(positions, name)
        if position is None or not items[position].attributes.labels:
            raise _unknown(name)


def _by_name(items: Sequence[DatasetItem]) -> dict[str, int]:
    positions: dict[str, int] = {}
    for position, item in enumerate(items):
        for name in (item.external_id, item.path.stem, item.path.name, str(item.path.resolve())):
            positions.setdefault(name, position)
    return positions


def _position(positions: Mapping[str, int], name: str) -> int | None:
    found = positions.get(name)
    return positions.get(str(Path(name).resolve())) if found is None else found


def _unknown(name: str) -> InvalidRequestError:
    return InvalidRequestError(f"no image with a label is named {name!r}", field="query", metadata={"value": name})


def _panel(
    subject: Subject,
    ranked: Mapping[int, RankedItem],
    labels: Sequence[str],
    *,
    letter: str,
    title: str,
    correct: int,
    seed: int,
) -> Panel:
    cases: list[Case] = []
    absent: list[str] = []
    for number, label in enumerate(labels):
        members = [query for query in subject.members(label) if query in ranked]
        shuffled = np.random.default_rng([seed, _STREAM, ord(letter), number]).permutation(members)
        nearest = min(
            (ranked[int(query)] for query in shuffled),
            key=lambda each: (abs(each.correct - correct), _patients_repeat(subject, each)),
            default=None,
        )
        if nearest is None or abs(nearest.correct - correct) >= max(len(nearest.results), 1):
            absent.append(label)
            continue
        alike = sum(ranked[query].correct == correct for query in members)
        cases.append(Case(label, nearest, alike=alike, others=len(members)))
    return Panel(letter, title, tuple(cases), tuple(absent))


def _patients_repeat(subject: Subject, ranked: RankedItem) -> bool:
    return any(subject.is_same_patient(ranked.query, result) for result in ranked.results)
