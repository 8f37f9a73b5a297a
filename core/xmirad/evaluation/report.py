"""What an evaluation found, as data."""

from dataclasses import dataclass

from xmirad.evaluation.feedback_report import FeedbackReport
from xmirad.evaluation.lab.findings import LabFindings
from xmirad.evaluation.report_parts import (
    DatasetSummary,
    Digests,
    Failure,
    Group,
    ModelSummary,
    Protocol,
    QueryRecord,
    TrainingOverlap,
)
from xmirad.evaluation.saliency_report import SaliencyReport


@dataclass(frozen=True, slots=True)
class PatientExclusive:
    """Figures with the query's own patient taken out of every ranking.

    Attributes:
        overall: Over all queries that are left; None if none is.
        classes: By class.
        dropped_queries: Queries that no relevant item was left for.
        unknown_patient_queries: Queries whose patient is not known, which are not in these figures.
        affected_queries: Queries that had another image of their patient in the ranking.
    """

    overall: Group | None
    classes: tuple[Group, ...]
    dropped_queries: int
    unknown_patient_queries: int
    affected_queries: int


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """Figures of the queries from one source, and whether retrieval follows the source.

    Attributes:
        name: The source.
        group: The figures; None if no query of the source has a relevant item.
        item_count: How many items are from the source.
        same_source_share: Mean share of the first ten results that are from the query's own source.
        chance_share: What that share would be in a random ranking.
    """

    name: str
    group: Group | None
    item_count: int
    same_source_share: float
    chance_share: float


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """A result of an example.

    Attributes:
        item: Index of the image in the archive's data set.
        file: Name of its file.
        labels: Its labels.
        score: Cosine similarity, -1 to 1.
        relevant: Whether it shares a label with the query.
    """

    item: int
    file: str
    labels: tuple[str, ...]
    score: float
    relevant: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A query worth looking at.

    Attributes:
        kind: `best` or `worst`.
        item: Index of the query's image in the data set.
        file: Name of its file.
        labels: Its labels.
        average_precision: Its average precision, corrected definition.
        results: Its first results.
    """

    kind: str
    item: int
    file: str
    labels: tuple[str, ...]
    average_precision: float
    results: tuple[ExampleResult, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many took part.

    Attributes:
        items: Images in the archive.
        queries: Queries with figures.
        failed: Images that could not be read, stored or searched with.
        merged: Images that are byte for byte an earlier one and became the same item.
        dropped_queries: Queries without any relevant item in the archive.
        identical_queries: Queries that were left out because an item of the archive is byte for byte the same.
    """

    items: int
    queries: int
    failed: int
    merged: int
    dropped_queries: int
    identical_queries: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """How long it took, in seconds."""

    upload_seconds: float
    search_seconds: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What an evaluation found.

    Attributes:
        intended_use: What the results are for.
        software_version: Version of this software.
        server_version: Version of the service.
        vector_store: The vector store behind the service.
        created: When the evaluation ended, ISO 8601 in UTC.
        command: The command that repeats it.
        archive: Resource name of the archive.
        dataset: The data set.
        model: The model.
        counts: How many took part.
        cutoff: How many results were ranked, if not all.
        seed: Seed of the bootstrap.
        resamples: How often the bootstrap drew.
        overall: Figures over all queries.
        macro: Mean over the classes of their figures.
        classes: Figures by class.
        patient_exclusive: Figures without the query's own patient; None where no patient is known.
        sources: Figures by source; empty where fewer than two are known.
        failures: What could not take part.
        examples: The best and the worst queries.
        timings: How long it took.
        saliency: What the maps of first results are worth; None where that was not asked for.
        protocol: What the queries were ranked against.
        digests: What exactly was evaluated; None in reports of earlier versions.
        archive_dataset: The archive's data set, where it is not that of the queries.
        lab: What was found out beyond the rankings; None in reports of earlier versions.
        queries: Every query with figures, by its key; empty in reports of earlier versions.
        identical_queries: Files that were not searched with because an item of the archive is byte for byte the same.
        feedback: What relevance feedback gains; None where that was not asked for.
        training_overlap: Which images had a part in training the model; None where it is not known of any, and in
            reports of earlier versions.
    """

    intended_use: str
    software_version: str
    server_version: str
    vector_store: str
    created: str
    command: str
    archive: str
    dataset: DatasetSummary
    model: ModelSummary
    counts: Counts
    cutoff: int | None
    seed: int
    resamples: int
    overall: Group
    macro: Group
    classes: tuple[Group, ...]
    patient_exclusive: PatientExclusive | None
    sources: tuple[SourceGroup, ...]
    failures: tuple[Failure, ...]
    examples: tuple[Example, ...]
    timings: Timings
    saliency: SaliencyReport | None = None
    protocol: Protocol = Protocol.LEAVE_ONE_OUT
    digests: Digests | None = None
    archive_dataset: DatasetSummary | None = None
    lab: LabFindings | None = None
    queries: tuple[QueryRecord, ...] = ()
    identical_queries: tuple[str, ...] = ()
    feedback: FeedbackReport | None = None
    training_overlap: TrainingOverlap | None = None

    @property
    def all_failures(self) -> tuple[Failure, ...]:
        """What could not take part, and the maps and searches with feedback that could not be had."""
        maps = () if self.saliency is None else self.saliency.failures
        feedback = () if self.feedback is None else self.feedback.failures
        return (*self.failures, *feedback, *maps)
