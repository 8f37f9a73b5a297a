"""What was found out beyond how good the rankings are, as data. Exact definitions: `docs/evaluation.md`."""

from collections.abc import Mapping
from dataclasses import dataclass

from xmirad.evaluation.report_parts import Group
from xmirad.metrics.bootstrap import Estimate
from xmirad.metrics.calibration import ReliabilityBin
from xmirad.metrics.detection import DetectionFigures


@dataclass(frozen=True, slots=True)
class RestrictedRanking:
    """Figures of rankings that were restricted to some of the sources.

    Attributes:
        name: `same source` or `other sources`.
        overall: Over all queries that have a relevant item left; None if none has.
        classes: By class.
        chance: What the mean average precision of random rankings of the same items would be; None without queries.
        class_chances: The same by class.
        dropped_queries: Queries of a known source that no relevant item was left for.
    """

    name: str
    overall: Group | None
    classes: tuple[Group, ...]
    chance: float | None
    class_chances: Mapping[str, float]
    dropped_queries: int


@dataclass(frozen=True, slots=True)
class SourceRecognition:
    """How well the source of an image can be told from the nearest items of other patients.

    Attributes:
        name: `overall`, or the class that queries and items were restricted to.
        query_counts: How many queries of each source took part.
        accuracy: Share of them whose source is that of most of their nearest items.
        majority: That share for the best constant answer, the most frequent source of these queries.
        balanced_accuracy: Mean over the sources of their accuracy.
        balanced_chance: What that is for any constant answer.
        dropped_queries: Queries that had no item of their source, from another patient, left to find.
    """

    name: str
    query_counts: Mapping[str, int]
    accuracy: Estimate
    majority: float
    balanced_accuracy: Estimate
    balanced_chance: float
    dropped_queries: int


@dataclass(frozen=True, slots=True)
class SourceStudy:
    """Whether retrieval follows where an image came from.

    Attributes:
        rankings: Figures within the query's source and across sources; none if not all items were ranked.
        recognitions: How well the source can be told, overall and within each class of two sources or more.
        neighbors: How many nearest items vote for a source.
    """

    rankings: tuple[RestrictedRanking, ...]
    recognitions: tuple[SourceRecognition, ...]
    neighbors: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """Labels of the first result, by the label of the query.

    Attributes:
        labels: Labels of the queries: the rows.
        found: Labels of the results: the columns; an empty one stands for results without a label.
        counts: How many queries, by row and column. A query of several labels counts in each of its rows.
    """

    labels: tuple[str, ...]
    found: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean interpolated precision-recall curve.

    Attributes:
        name: `overall`, or the class of the queries.
        query_count: How many queries.
        precision: Precision at recall 0, 0.01, ... 1.
    """

    name: str
    query_count: int
    precision: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Whether stated confidences are right.

    Attributes:
        calibration_error: Expected calibration error over 15 bins of equal mass. Its interval is the spread of the
            draws around their own mean, laid around the figure: drawing again adds noise, so the draws lie high.
        bins: The reliability diagram.
    """

    calibration_error: Estimate
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether the confidence of the label that the nearest items vote for can be believed.

    Attributes:
        fitted_on: What the vote was fitted on; never the queries that are judged here.
        temperatures: The fitted temperature, or that of each fold.
        pseudo_counts: The fitted pseudo-count, or that of each fold.
        query_count: How many queries.
        accuracy: Share of them that carry the label with the most votes, after fitting.
        confidence: Mean confidence after fitting.
        before: With temperature 1 and no pseudo-count.
        after: With the fitted vote.
    """

    fitted_on: str
    temperatures: tuple[float, ...]
    pseudo_counts: tuple[float, ...]
    query_count: int
    accuracy: Estimate
    confidence: float
    before: Reliability
    after: Reliability


@dataclass(frozen=True, slots=True)
class Detection:
    """How well images that the archive knows nothing of are told by their distance from it.

    Attributes:
        kind: `other data` or `left-out class`.
        name: The other data set, or the class that was left out.
        inside_count: How many queries the archive should know.
        outside_count: How many it should not.
        inside_distance: Mean distance of the former to their nearest items.
        outside_distance: That of the latter.
        figures: How well they are told apart.
        curve: Share of the outside images that is found, at shares 0, 0.01, ... 1 of inside images taken for one.
        identical_count: How many more were left out because they are byte for byte items of the archive.
    """

    kind: str
    name: str
    inside_count: int
    outside_count: int
    inside_distance: float
    outside_distance: float
    figures: DetectionFigures
    curve: tuple[float, ...]
    identical_count: int = 0


@dataclass(frozen=True, slots=True)
class LabFindings:
    """What was found out beyond how good the rankings are.

    Attributes:
        confusion: Labels of the first results.
        curves: Precision-recall curves, overall and by class.
        sources: Whether retrieval follows the source; None where fewer than two are known.
        calibration: Whether confidences can be believed; None where no query has both a label and neighbors.
        detections: Whether unknown images are told; empty where nothing is left out.
        neighbors: How many nearest items vote for a label, and are averaged for a distance.
    """

    confusion: Confusion
    curves: tuple[Curve, ...]
    sources: SourceStudy | None
    calibration: Calibration | None
    detections: tuple[Detection, ...]
    neighbors: int
