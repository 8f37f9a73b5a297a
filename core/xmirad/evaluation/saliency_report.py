"""What the maps of first results are worth, as data.

Figures of a map, by their names:

| name | definition |
| --- | --- |
| `fidelity` | `insertion` minus `deletion`, -1 to 1; higher is better |
| `chance_fidelity` | mean fidelity of ten controls on the same pair: nine smooth random fields, and the center |
| `better_than_chance` | 1 if the fidelity is above that of every one of these controls (p = 1/11), else 0 |
| `insertion`, `deletion` | areas under the cosine, 0 to 1, by the step of `xmirad.saliency.fidelity.STEP` pixels |
| `insertion_xmir`, `deletion_xmir` | the same by the published step of `PUBLISHED_STEP` pixels |
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.evaluation.report_parts import Failure, Group, ModelSummary


@dataclass(frozen=True, slots=True)
class AssessedMap:
    """A map on the first result of a query, and what it is worth.

    Attributes:
        query: Index of the query's image in the data set.
        query_file: Name of its file.
        result_file: Name of the result's file.
        relevant: Whether the result shares a label with the query.
        figures: The map's figures, by their names.
    """

    query: int
    query_file: str
    result_file: str
    relevant: bool
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MethodSaliency:
    """What the maps of one method are worth.

    Attributes:
        method: `occlusion`, `attention` or `activation`.
        description: The method with its parameters.
        failed: How many maps could not be had; they are in no figure.
        overall: Figures over all maps; None if there is no map.
        classes: Figures by class of the query, as far as there are maps.
        maps: The maps, by query.
    """

    method: str
    description: str
    failed: int
    overall: Group | None
    classes: tuple[Group, ...]
    maps: tuple[AssessedMap, ...]


@dataclass(frozen=True, slots=True)
class ModelSaliency:
    """What the maps of one model are worth.

    Attributes:
        model: The model.
        queries: How many queries were asked.
        methods: The figures, method by method.
        failures: What could not take part, and the maps that could not be had.
        seconds: How long it took.
    """

    model: ModelSummary
    queries: int
    methods: tuple[MethodSaliency, ...]
    failures: tuple[Failure, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class SaliencyReport:
    """What the maps of first results are worth.

    Attributes:
        queries_per_class: How many queries of each class were drawn at most; None: all were taken.
        evaluated: The evaluated model.
        control: A model of random weights with the same queries, each with a first result of its own; None if none was
            named.
    """

    queries_per_class: int | None
    evaluated: ModelSaliency
    control: ModelSaliency | None

    @property
    def models(self) -> tuple[ModelSaliency, ...]:
        """The evaluated model, and the control if there is one."""
        return (self.evaluated,) if self.control is None else (self.evaluated, self.control)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures of both models."""
        return tuple(failure for model in self.models for failure in model.failures)
