"""The table of what relevance feedback gains."""

from xmirad.evaluation.feedback_report import FeedbackReport, FeedbackRound
from xmirad.evaluation.text_table import ReportTable, Row, with_interval

COLUMNS = (
    "Round",
    "Queries",
    "Judged",
    "mAP [95 %]",
    "without [95 %]",
    "gain [95 %]",
    "mP@10 [95 %]",
    "without [95 %]",
    "gain [95 %]",
)


def feedback_table(report: FeedbackReport) -> ReportTable:
    """Return the table: a row for each round."""
    return ReportTable(
        title=f"Relevance feedback by a simulated reader: {report.queries} queries",
        columns=COLUMNS,
        rows=tuple(map(_row, report.rounds)),
        notes=(
            f"In each round the first relevant and the first other of {report.shown} results are marked. All figures "
            "are over rankings without the items judged so far, with feedback and without; gains are paired by query.",
            "The reader may mark images of the query's own patient, which are easy to find.",
            *_dropped(report),
        ),
    )


def _row(each: FeedbackRound) -> Row:
    return (
        str(each.round),
        str(each.queries),
        f"{each.judged_items:.1f}",
        with_interval(each.mean_average_precision),
        with_interval(each.mean_average_precision_without),
        with_interval(each.mean_average_precision_gain),
        with_interval(each.precision_at_10),
        with_interval(each.precision_at_10_without),
        with_interval(each.precision_at_10_gain),
    )


def _dropped(report: FeedbackReport) -> tuple[str, ...]:
    if not any(each.dropped_queries for each in report.rounds):
        return ()
    counts = ", ".join(str(each.dropped_queries) for each in report.rounds)
    return (f"Queries that no relevant item was left for, by round: {counts}.",)
