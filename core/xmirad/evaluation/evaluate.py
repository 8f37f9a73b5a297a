"""The evaluation as a whole: fill the archive, replay the queries, sum up."""

import time
from dataclasses import replace

from xmirad.datasets import Dataset
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.answering import Answers, answered, foreign_distances, validation_answers
from xmirad.evaluation.asking import images_beside, own_images
from xmirad.evaluation.beside import Beside, check_data
from xmirad.evaluation.feedback import simulate_feedback
from xmirad.evaluation.feedback_queries import EvaluatedQueries
from xmirad.evaluation.feedback_report import FeedbackReport
from xmirad.evaluation.lab.detecting import other_data
from xmirad.evaluation.lab.findings import Detection, LabFindings
from xmirad.evaluation.lab.summing import lab_findings
from xmirad.evaluation.options import EvaluationOptions, Progress, Silence
from xmirad.evaluation.replay import ranked_results
from xmirad.evaluation.report import EvaluationReport, Timings
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.reporting import now, report_of
from xmirad.evaluation.run import Run
from xmirad.evaluation.saliency import control_run, evaluate_saliency
from xmirad.evaluation.service import Service, chosen_model
from xmirad.evaluation.uploading import delete_archive, evaluation_archive, fill_archive

DEFAULT_OPTIONS = EvaluationOptions()
SILENCE = Silence()
ALONE = Beside()


def evaluate(
    service: Service,
    dataset: Dataset,
    *,
    beside: Beside = ALONE,
    options: EvaluationOptions = DEFAULT_OPTIONS,
    progress: Progress = SILENCE,
) -> EvaluationReport:
    """Search with every image of a data set and report the figures.

    The images are uploaded into an archive of their own and each is searched with among the others; or, where there is
    a separate archive, that is uploaded instead and all are searched with in it.

    Raises:
        InvalidRequestError: If the data cannot be evaluated so (`xmirad.evaluation.beside`), no two images could be
            stored, no query has a relevant item, or maps are to be evaluated in a way that cannot be.
        ModelNotFoundError: If the service has no such model.
        BackendUnavailableError: If maps are to be evaluated and the service has no queue for explanations.
        XmiradError: If the service refuses or breaks off. A single image that fails is counted and listed instead.
    """
    check_data(dataset, beside)
    if options.saliency is not None and beside.archive is not None:
        message = "maps are evaluated where the queries are items themselves; leave the separate archive out"
        raise InvalidRequestError(message, field="archive_split")
    run = Run(
        service,
        dataset,
        model=chosen_model(service, options.model),
        options=options,
        progress=progress,
        max_image_bytes=service.server_info().max_image_bytes,
    )
    control = control_run(run)
    try:
        return _evaluate(run, control, beside)
    finally:
        if not options.keep:
            _delete_archives(run, control, beside)


def _evaluate(run: Run, control: Run | None, beside: Beside) -> EvaluationReport:
    archive = fill_archive(replace(run, dataset=beside.archive or run.dataset))
    asked = own_images(run.dataset, archive) if beside.archive is None else images_beside(run.dataset, archive)
    begin = time.monotonic()
    answers = answered(run, archive, asked)
    timings = Timings(upload_seconds=archive.seconds, search_seconds=time.monotonic() - begin)
    lab, failures = _lab(run, answers, beside)
    report = report_of(run, answers, beside=beside, lab=lab, failures=failures, timings=timings)
    if run.options.feedback_rounds:
        report = replace(report, feedback=_feedback(run, answers), created=now())
    options = run.options.saliency
    if options is None:
        return report
    saliency = evaluate_saliency(run, control, options, archive=archive, collector=answers.collector)
    return replace(report, saliency=saliency, created=now())


def _feedback(run: Run, answers: Answers) -> FeedbackReport:
    """Let a simulated reader give feedback on the results of every query."""
    options = run.options
    return simulate_feedback(
        run.service,
        answers.archive.archive,
        EvaluatedQueries(answers, max_image_bytes=run.max_image_bytes),
        top_k=ranked_results(run, answers.archive, answers.asked),
        rounds=options.feedback_rounds,
        seed=options.seed,
        resamples=options.resamples,
        progress=run.progress,
    )


def _lab(run: Run, answers: Answers, beside: Beside) -> tuple[LabFindings, tuple[Failure, ...]]:
    """Ask with whatever is there beside the queries, and return the findings and all failures."""
    failures = answers.failures
    validation = None
    if beside.validation is not None:
        archive = None if beside.archive is None else answers.archive
        validation = validation_answers(run, beside.validation, archive)
        failures += tuple(failure for failure in validation.failures if failure not in failures)
    foreign: tuple[Detection, ...] = ()
    if beside.other_data is not None:
        others = images_beside(beside.other_data, answers.archive)
        distances, failed = foreign_distances(run, answers.archive, others)
        failures += failed
        foreign = other_data(others, answers.collector, distances, run.options)
    findings = lab_findings(
        answers.collector,
        validation=validation,
        other_data=foreign,
        options=run.options,
    )
    return findings, failures


def _delete_archives(run: Run, control: Run | None, beside: Beside) -> None:
    names = [evaluation_archive((beside.archive or run.dataset).name, run.model)]
    if control is not None:
        names.append(evaluation_archive(run.dataset.name, control.model))
    if beside.validation is not None and beside.archive is None:
        names.append(evaluation_archive(beside.validation.name, run.model))
    for name in names:
        delete_archive(run.service, name)
