"""The evaluation as a whole: fill the archive, replay the queries, sum up."""

import time
from collections import Counter
from datetime import UTC, datetime

from xmirad import __version__
from xmirad.client.types import ModelInfo
from xmirad.datasets import Dataset
from xmirad.datasets.duplicates import duplicates
from xmirad.errors import InvalidRequestError, ModelNotFoundError
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.examples import choose_examples
from xmirad.evaluation.figures import FigureSet
from xmirad.evaluation.grouping import Grouping
from xmirad.evaluation.options import EvaluationOptions, Progress, Silence, Stage
from xmirad.evaluation.replay import ranked_results, replay
from xmirad.evaluation.report import (
    Counts,
    DatasetSummary,
    EvaluationReport,
    Failure,
    ModelSummary,
    Timings,
)
from xmirad.evaluation.run import Run
from xmirad.evaluation.service import Service
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
        InvalidRequestError: If no two images could be stored, or no query has a relevant item.
        ModelNotFoundError: If the service has no such model.
        XmiradError: If the service refuses or breaks off. A single image that fails is counted and listed instead.
    """
    run = Run(service, dataset, model=_model(service, options.model), options=options, progress=progress)
    try:
        return _evaluate(run)
    finally:
        if not options.keep:
            delete_archive(service, evaluation_archive(dataset.name, run.model))


def _evaluate(run: Run) -> EvaluationReport:
    archive = fill_archive(run)
    begin = time.monotonic()
    collector, failures = _replay(run, archive)
    timings = Timings(upload_seconds=archive.seconds, search_seconds=time.monotonic() - begin)
    return _report(run, archive, collector=collector, failures=(*archive.failures, *failures), timings=timings)


def _model(service: Service, name: str) -> ModelInfo:
    if name:
        return service.get_model(name)
    for model in service.list_models():
        if model.is_default:
            return model
    raise ModelNotFoundError("the service has no default model; name one", field="model")


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
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=run.options.command,
        archive=archive_name(archive.archive),
        dataset=_dataset_summary(run.dataset, archive),
        model=_model_summary(run.model),
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


def _dataset_summary(dataset: Dataset, archive: FilledArchive) -> DatasetSummary:
    attributes = [item.attributes for item in dataset.items]
    stored = [dataset.items[index] for index in archive.stored]
    return DatasetSummary(
        name=dataset.name,
        item_count=len(dataset.items),
        class_counts=dict(sorted(Counter(label for each in attributes for label in each.labels).items())),
        synthetic=any(each.synthetic for each in attributes),
        warnings=dataset.warnings,
        duplicates=tuple(duplicates(stored).lines()),
    )


def _model_summary(model: ModelInfo) -> ModelSummary:
    return ModelSummary(
        display_name=model.display_name,
        digest=model.digest,
        architecture=model.architecture,
        embedding_size=model.embedding_size,
        preprocessing_json=model.preprocessing_json,
        training_data=model.training_data,
        license=model.license,
    )
