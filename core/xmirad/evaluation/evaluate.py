"""The evaluation as a whole: fill the archive, replay the queries, sum up."""

import time
from dataclasses import replace
from datetime import UTC, datetime

from xmirad import __version__
from xmirad.datasets import Dataset
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.examples import choose_examples
from xmirad.evaluation.figures import FigureSet
from xmirad.evaluation.grouping import Grouping
from xmirad.evaluation.options import EvaluationOptions, Progress, Silence, Stage
from xmirad.evaluation.replay import ranked_results, replay
from xmirad.evaluation.report import Counts, EvaluationReport, Timings
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.run import Run
from xmirad.evaluation.saliency import control_run, evaluate_saliency
from xmirad.evaluation.service import Service, chosen_model
from xmirad.evaluation.summaries import dataset_summary, model_summary
from xmirad.evaluation.truth import truth_of
from xmirad.evaluation.uploading import FilledArchive, delete_archive, evaluation_archive, fill_archive
from xmirad.ids import archive_name

DEFAULT_OPTIONS = EvaluationOptions()
SILENCE = Silence()


def evaluate(
    service: Service,
    dataset: Dataset,
    *,
    options: EvaluationOptions = DEFAULT_OPTIONS,
    progress: Progress = SILENCE,
) -> EvaluationReport:
    """Upload a data set into an archive of its own, replay every image as a query, and report the figures.

    Raises:
        InvalidRequestError: If no two images could be stored, no query has a relevant item, or maps are to be evaluated
            in a way that cannot be.
        ModelNotFoundError: If the service has no such model.
        BackendUnavailableError: If maps are to be evaluated and the service has no queue for explanations.
        XmiradError: If the service refuses or breaks off. A single image that fails is counted and listed instead.
    """
    run = Run(service, dataset, model=chosen_model(service, options.model), options=options, progress=progress)
    control = control_run(run)
    try:
        return _evaluate(run, control)
    finally:
        if not options.keep:
            for each in filter(None, (run, control)):
                delete_archive(service, evaluation_archive(dataset.name, each.model))


def _evaluate(run: Run, control: Run | None) -> EvaluationReport:
    archive = fill_archive(run)
    begin = time.monotonic()
    collector, failures = _replay(run, archive)
    timings = Timings(upload_seconds=archive.seconds, search_seconds=time.monotonic() - begin)
    report = _report(run, archive, collector=collector, failures=(*archive.failures, *failures), timings=timings)
    options = run.options.saliency
    if options is None:
        return report
    saliency = evaluate_saliency(run, control, options, archive=archive, collector=collector)
    return replace(report, saliency=saliency, created=_now())


def _replay(run: Run, archive: FilledArchive) -> tuple[Collector, list[Failure]]:
    total, ranked = len(archive.names), ranked_results(run, archive)
    collector = Collector(
        truth=truth_of([run.dataset.items[index] for index in archive.indices]),
        figures=FigureSet(cutoff=None if ranked == total - 1 else ranked),
        kept_results=run.options.example_results,
    )
    failures: list[Failure] = []
    for done, answer in enumerate(replay(run, archive), start=1):
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            collector.add(answer)
        run.progress(Stage.SEARCH, done, total)
    return collector, sorted(failures, key=lambda failure: failure.file)


def _report(
    run: Run, archive: FilledArchive, *, collector: Collector, failures: tuple[Failure, ...], timings: Timings
) -> EvaluationReport:
    grouping = Grouping(collector, run.options)
    overall = grouping.overall()
    if overall is None:
        raise InvalidRequestError(_nothing_to_measure(failures), field="path")
    info = run.service.server_info()
    items = [run.dataset.items[index] for index in archive.indices]
    return EvaluationReport(
        intended_use=info.intended_use,
        software_version=__version__,
        server_version=info.version,
        vector_store=info.vector_store,
        created=_now(),
        command=run.options.command,
        archive=archive_name(archive.archive),
        dataset=dataset_summary(run.dataset, archive),
        model=model_summary(run.model),
        counts=Counts(
            items=len(items),
            queries=overall.query_count,
            failed=len(failures),
            merged=len(archive.stored) - len(items),
            dropped_queries=len(collector.queries) - overall.query_count,
        ),
        cutoff=collector.figures.cutoff,
        seed=run.options.seed,
        resamples=run.options.resamples,
        overall=overall,
        macro=grouping.macro(),
        classes=grouping.classes(),
        patient_exclusive=grouping.patient_exclusive(),
        sources=grouping.sources(),
        failures=failures,
        examples=choose_examples(collector, items, indices=archive.indices, options=run.options),
        timings=timings,
    )


def _nothing_to_measure(failures: tuple[Failure, ...]) -> str:
    why = f" ({failures[0].file}: {failures[0].message})" if failures else ""
    return f"no query has another image with its label in the archive, so there is nothing to measure{why}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
