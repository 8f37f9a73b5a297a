"""Finding the queries that two reports have in common, and refusing what cannot be compared."""

from dataclasses import dataclass

from xmirad.errors import InvalidRequestError
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.report_parts import Digests, Protocol, QueryRecord


@dataclass(frozen=True, slots=True)
class Matched:
    """The queries of two reports that are the same.

    Attributes:
        pairs: A query's figures in the first and in the second report, in the first one's order.
        notes: What is not the same, one sentence each.
    """

    pairs: tuple[tuple[QueryRecord, QueryRecord], ...]
    notes: tuple[str, ...]


def matched(first: EvaluationReport, second: EvaluationReport) -> Matched:
    """Pair the queries by key. A query is the same only if its image and its labels are, too.

    Raises:
        InvalidRequestError: If a report has no figures of its queries, their protocols, cutoffs or separate archives
            differ, or they have no query in common.
    """
    ours, theirs = digests_of(first), digests_of(second)
    _require_same("protocol", first.protocol, second.protocol)
    _require_same("cutoff", first.cutoff, second.cutoff)
    if first.protocol is Protocol.SEPARATE_ARCHIVE:
        _require_same("archive data", ours.archive_data, theirs.archive_data)
    others = {each.key: each for each in second.queries}
    pairs = tuple((each, others[each.key]) for each in first.queries if _is_same(each, others.get(each.key)))
    if not pairs:
        raise InvalidRequestError(
            f"{first.dataset.name} and {second.dataset.name} have no query in common, so there is nothing to compare",
            field="report",
            metadata={"first": ours.queries, "second": theirs.queries},
        )
    return Matched(pairs, tuple(_notes(first, second, len(pairs))))


def digests_of(report: EvaluationReport) -> Digests:
    """Return what exactly was evaluated.

    Raises:
        InvalidRequestError: If the report is of a version that did not keep the figures of its queries.
    """
    if report.digests is None or not report.queries:
        message = f"the report of {report.created} has no figures of its queries; evaluate again with this version"
        raise InvalidRequestError(message, field="report")
    return report.digests


def _is_same(one: QueryRecord, other: QueryRecord | None) -> bool:
    if other is None:
        return False
    return one.image_digest == other.image_digest and sorted(one.labels) == sorted(other.labels)


def _require_same(what: str, first: object, second: object) -> None:
    if first != second:
        raise InvalidRequestError(
            f"the reports cannot be compared: the {what} of the first is {first}, of the second {second}",
            field="report",
            metadata={"first": str(first), "second": str(second)},
        )


def _notes(first: EvaluationReport, second: EvaluationReport, common: int) -> list[str]:
    notes = []
    for name, report in (("first", first), ("second", second)):
        if len(report.queries) > common:
            notes.append(f"{len(report.queries) - common} queries of the {name} report are not in the other.")
    ours, theirs = digests_of(first), digests_of(second)
    if notes or ours.queries != theirs.queries:
        notes.insert(0, f"The queries are not the same data: only the {common} that both have are compared.")
    if ours.archive_data != theirs.archive_data:
        notes.append("They were ranked among different items, which alone changes the figures.")
    if ours == theirs:
        notes.append("Both reports are of the same model and the same data.")
    return notes
