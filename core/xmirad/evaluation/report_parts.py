"""Values that several parts of a report are made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.evaluation.options import Stage
from xmirad.metrics.bootstrap import Estimate


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
