"""Putting a report together from the answers to the queries."""

from datetime import UTC, datetime

from xmirad import __version__
from xmirad.client.types import ModelInfo
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.answering import Answers
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.examples import choose_examples
from xmirad.evaluation.grouping import Grouping
from xmirad.evaluation.lab.findings import LabFindings
from xmirad.evaluation.report import Counts, EvaluationReport, Timings
from xmirad.evaluation.report_parts import Failure, Group, Protocol, TrainingOverlap
from xmirad.evaluation.run import Run
from xmirad.evaluation.summaries import dataset_summary, digests, model_summary, query_records
from xmirad.ids import archive_name


def report_of(
    run: Run, answers: Answers, *, beside: Beside, lab: LabFindings, failures: tuple[Failure, ...], timings: Timings
) -> EvaluationReport:
    """Return the report.

    Args:
        run: The evaluation.
        answers: The answers to its queries.
        beside: What took part beside the queries.
        lab: What was found out beyond the rankings.
        failures: Everything that failed.
        timings: How long it took.

    Raises:
        InvalidRequestError: If no query has a relevant item.
    """
    collector, asked, archive = answers.collector, answers.asked, answers.archive
    grouping = Grouping(collector, run.options)
    overall = grouping.overall()
    if overall is None:
        raise InvalidRequestError(_nothing_to_measure(failures), field="path")
    info = run.service.server_info()
    separate = beside.archive
    return EvaluationReport(
        intended_use=info.intended_use,
        software_version=__version__,
        server_version=info.version,
        vector_store=info.vector_store,
        created=now(),
        command=run.options.command,
        archive=archive_name(archive.archive),
        dataset=dataset_summary(run.dataset, archive.stored if separate is None else asked.indices),
        model=model_summary(run.model),
        counts=_counts(answers, overall, failed=len(failures)),
        cutoff=collector.figures.cutoff,
        seed=run.options.seed,
        resamples=run.options.resamples,
        overall=overall,
        macro=grouping.macro(),
        classes=grouping.classes(),
        patient_exclusive=grouping.patient_exclusive(),
        sources=grouping.sources(),
        failures=failures,
        examples=choose_examples(collector, asked, archive, options=run.options),
        timings=timings,
        protocol=Protocol.LEAVE_ONE_OUT if separate is None else Protocol.SEPARATE_ARCHIVE,
        digests=digests(asked, archive, run.model),
        archive_dataset=None if separate is None else dataset_summary(separate, archive.stored),
        lab=lab,
        queries=query_records(collector, asked),
        identical_queries=asked.identical,
        training_overlap=_training_overlap(run.model, answers),
    )


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _counts(answers: Answers, overall: Group, *, failed: int) -> Counts:
    return Counts(
        items=len(answers.archive.indices),
        queries=overall.query_count,
        failed=failed,
        merged=len(answers.archive.stored) - len(answers.archive.indices),
        dropped_queries=len(answers.collector.queries) - overall.query_count,
        identical_queries=len(answers.asked.identical),
    )


def _training_overlap(model: ModelInfo, answers: Answers) -> TrainingOverlap | None:
    trained, chosen_by = model.training_image_digests, model.validation_image_digests
    if not trained and not chosen_by:
        return None
    queries = answers.asked.images
    return TrainingOverlap(
        trained_queries=tuple(each.item.path.name for each in queries if each.image_digest in trained),
        validation_queries=tuple(each.item.path.name for each in queries if each.image_digest in chosen_by),
        trained_items=sum(each.image_digest in trained for each in answers.archive.images),
    )


def _nothing_to_measure(failures: tuple[Failure, ...]) -> str:
    why = f" ({failures[0].file}: {failures[0].message})" if failures else ""
    return f"no query has another image with its label in the archive, so there is nothing to measure{why}"
