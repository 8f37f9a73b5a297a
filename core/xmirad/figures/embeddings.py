"""The embeddings of an archive, and what they say of its classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xmirad.api.vocabulary import ItemView
from xmirad.errors import AccessDeniedError, ArchiveNotReadyError
from xmirad.figures.projecting import Float64Array
from xmirad.figures.service import FiguresService
from xmirad.figures.subject import Subject
from xmirad.metrics.silhouettes import silhouettes
from xmirad.types import Float32Array

_STREAM = 0x75E  # keeps the draw independent of the others


@dataclass(frozen=True, slots=True)
class Star:
    """The image nearest to the centroid of its class.

    Attributes:
        label: The class.
        position: Its position in the archive.
        distance: How far it lies from the centroid, in the space of the embeddings.
    """

    label: str
    position: int
    distance: float


def chosen_positions(subject: Subject, *, max_points: int, seed: int) -> tuple[int, ...]:
    """Return the positions to show: all, or in a larger archive as many as allowed, drawn by the seed."""
    total = len(subject.items)
    if total <= max_points:
        return tuple(range(total))
    drawn = np.random.default_rng([seed, _STREAM]).permutation(total)[:max_points]
    return tuple(sorted(int(position) for position in drawn))


def embeddings_of(service: FiguresService, subject: Subject, positions: Sequence[int]) -> Float32Array:
    """Return the unit embeddings of items, `[N, D]`.

    Raises:
        AccessDeniedError: If the caller may not see embeddings.
        ArchiveNotReadyError: If an item is gone.
    """
    names = [subject.archive.names[position] for position in positions]
    items = service.batch_get_items(subject.archive.archive, names, view=ItemView.EMBEDDING)
    if len(items) != len(names):
        raise ArchiveNotReadyError(f"{len(items)} of {len(names)} items are there; was the archive changed meanwhile?")
    vectors = [item.embedding for item in items if item.embedding is not None and item.embedding.size]
    if len(vectors) != len(names):
        raise AccessDeniedError("embeddings are not shown without the scope embedding", metadata={"scope": "embedding"})
    return np.stack(vectors).astype(np.float32, copy=False)


def stars(subject: Subject, positions: Sequence[int], embeddings: Float32Array) -> tuple[Star, ...]:
    """Return, for each class, the image nearest to the centroid of the class, in the space of the embeddings."""
    found = []
    for label in subject.labels:
        rows = [row for row, position in enumerate(positions) if label in subject.items[position].attributes.labels]
        if not rows:
            continue
        members = embeddings[rows].astype(np.float64)
        distances = np.linalg.norm(members - members.mean(axis=0), axis=1)
        nearest = int(np.argmin(distances))
        found.append(Star(label, positions[rows[nearest]], float(distances[nearest])))
    return tuple(found)


def class_silhouettes(subject: Subject, positions: Sequence[int], distances: Float64Array) -> dict[str, float]:
    """Return the mean silhouette overall and of each class; nothing where there are fewer than two classes.

    Images of no class or of several take no part.
    """
    rows = [row for row, position in enumerate(positions) if len(subject.items[position].attributes.labels) == 1]
    names = [subject.items[positions[row]].attributes.labels[0] for row in rows]
    labels = [label for label in subject.labels if label in names]
    if len(labels) < 2:
        return {}
    numbers = np.array([labels.index(name) for name in names])
    values = silhouettes(distances[np.ix_(rows, rows)], numbers)
    means = {label: float(values[numbers == number].mean()) for number, label in enumerate(labels)}
    return {"overall": float(values.mean())} | means
