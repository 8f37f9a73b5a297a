"""Values that several parts of a report are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from xmirad.evaluation.options import Stage
from xmirad.metrics.bootstrap import Estimate


class Protocol(StrEnum):
    """What queries are ranked against."""

    LEAVE_ONE_OUT = "leave-one-out"
    SEPARATE_ARCHIVE = "separate archive"


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """Images that had a part in training the model, byte for byte.

    Attributes:
        trained_queries: Files of the queries that it was trained on.
        validation_queries: Files of the queries that its best epoch was chosen by.
        trained_items: How many items of the archive it was trained on.
    """

    trained_queries: tuple[str, ...]
    validation_queries: tuple[str, ...]
    trained_items: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not take part, or a map of it that could not be had.

    Attributes:
        file: Name of the file.
        stage: What failed.
        reason: The error's stable word.
        message: A sentence for people.
    """

    file: str
    stage: Stage
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Group:
    """Figures over some of the queries.

    Attributes:
        name: Class, source, or what else the queries have in common.
        query_count: How many queries.
        figures: Mean and interval of each figure, by its name (`xmirad.evaluation.figures`).
    """

    name: str
    query_count: int
    figures: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model whose embeddings were ranked."""

    display_name: str
    digest: str
    architecture: str
    embedding_size: int
    preprocessing_json: str
    training_data: str
    license: str


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """The data set that was evaluated.

    Attributes:
        name: Data set and what of it was read.
        item_count: How many images it has.
        class_counts: How many of them carry each label.
        synthetic: Whether any image is generated.
        warnings: What the reader noticed.
        duplicates: Byte-identical images, one line a group.
    """

    name: str
    item_count: int
    class_counts: Mapping[str, int]
    synthetic: bool
    warnings: tuple[str, ...]
    duplicates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digests:
    """What exactly was evaluated; SHA-256, hexadecimal.

    Attributes:
        queries: Over key, image digest and labels of every query.
        archive_data: The same over the items of the archive.
        archive: Over that and the model's digest: what an answer depends on besides the query.
    """

    queries: str
    archive_data: str
    archive: str


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """The figures of one query.

    Attributes:
        key: What identifies its image within the data set: the external id, else the image digest.
        image_digest: SHA-256 of the image.
        labels: Its labels.
        figures: Its figures, by the names of `xmirad.evaluation.figures`.
    """

    key: str
    image_digest: str
    labels: tuple[str, ...]
    figures: Mapping[str, float]
