"""Evaluating the maps on first results: those of the evaluated model, and of a control beside it.

After Hu, Vasu and Hoogs, "X-MIR" (WACV 2022): the query stays as it is, and the pixels of the retrieved image change.
The control is the same evaluation with random weights: the same queries, each with the first result that those weights
find. What its maps reach comes from the method and the images, not from anything that was learned.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xmirad.client.explanation_types import Method
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.evaluation.asking import own_images
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.explaining import ExplainedPair, explained
from xmirad.evaluation.map_asking import Pair, pair_of
from xmirad.evaluation.options import EvaluationOptions, SaliencyOptions, Stage
from xmirad.evaluation.replay import RankedQuery, ranked_results, replay
from xmirad.evaluation.report_parts import Failure, Group
from xmirad.evaluation.run import Run
from xmirad.evaluation.saliency_figures import described, map_figures, method_name
from xmirad.evaluation.saliency_report import AssessedMap, MethodSaliency, ModelSaliency, SaliencyReport
from xmirad.evaluation.sampling import Sample, drawn
from xmirad.evaluation.service import Service
from xmirad.evaluation.summaries import model_summary
from xmirad.evaluation.uploading import FilledArchive, fill_archive
from xmirad.metrics.bootstrap import estimates

QUEUE_FEATURE = "explanation_queue"


def control_run(run: Run) -> Run | None:
    """Check that maps can be evaluated as they are to be, and return the control's evaluation, if there is to be one.

    Raises:
        InvalidRequestError: If no queries are to be drawn, or the control cannot stand beside the model.
        ModelNotFoundError: If the service has no such control.
        BackendUnavailableError: If the service has no queue for explanations.
    """
    options = run.options.saliency
    if options is None:
        return None
    if options.queries_per_class is not None and options.queries_per_class < 1:
        raise InvalidRequestError("at least 1 query of each class must be drawn", field="queries_per_class")
    require_queue(run.service)
    return control_of(run, options.control)


def require_queue(service: Service) -> None:
    """Check that a service can explain.

    Raises:
        BackendUnavailableError: If it has no queue for explanations.
    """
    if QUEUE_FEATURE not in service.server_info().features:
        message = "this service has no explanation queue: start `xmirad up`, or set queue.url"
        raise BackendUnavailableError(message, metadata={"backend": "queue"})


def control_of(run: Run, name: str) -> Run | None:
    """Return the evaluation of a model of random weights beside the evaluated model; None where none is named.

    Raises:
        InvalidRequestError: If the control cannot stand beside the model.
        ModelNotFoundError: If the service has no such control.
    """
    if not name:
        return None
    control = run.service.get_model(name)
    if control.digest == run.model.digest:
        raise InvalidRequestError("the control is the evaluated model itself", field="control")
    if control.architecture != run.model.architecture:
        message = f"the control is a {control.architecture}; it must be a {run.model.architecture} as the model is"
        raise InvalidRequestError(message, field="control", metadata={"expected": run.model.architecture})
    return replace(run, model=control)


def evaluate_saliency(
    run: Run, control: Run | None, options: SaliencyOptions, *, archive: FilledArchive, collector: Collector
) -> SaliencyReport:
    """Have the first results of drawn queries explained by every method, and report what the maps are worth.

    Costs, for each pair and a model of 224 pixels, 2401 forward passes for occlusion, 522 for chance, and 508 for the
    curves of each map, unless they were computed before.

    Args:
        run: The evaluation.
        control: That of the control, or None.
        options: How maps are evaluated.
        archive: The evaluation's archive.
        collector: The answers to its queries.

    Raises:
        XmiradError: If the service refuses or breaks off. A single map that fails is counted and listed instead.
    """
    begin = time.monotonic()
    answered = sorted(collector.queries)
    sample = drawn(
        collector.truth,
        answered,
        indices=archive.indices,
        per_class=options.queries_per_class,
        seed=run.options.seed,
    )
    chosen = [collector.queries[query].first for query in answered if archive.indices[query] in sample.queries]
    evaluated = _model_saliency(run, _pairs(run, archive, chosen), sample, options=options, begin=begin)
    return SaliencyReport(
        queries_per_class=options.queries_per_class,
        evaluated=evaluated,
        control=None if control is None else _control(control, sample, options, known=archive.failures),
    )


def _control(run: Run, sample: Sample, options: SaliencyOptions, *, known: Sequence[Failure]) -> ModelSaliency:
    """Evaluate the control on the same queries; what failed with the evaluated model already is not said again."""
    begin = time.monotonic()
    archive = fill_archive(run)
    queries = [position for position, index in enumerate(archive.indices) if index in sample.queries]
    ranked: list[RankedQuery] = []
    failures = [failure for failure in archive.failures if failure not in known]
    asked = own_images(run.dataset, archive)
    top_k = ranked_results(run, archive, asked)
    for done, answer in enumerate(replay(run, archive, asked, top_k=top_k, chosen=queries), start=1):
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            ranked.append(answer)
        run.progress(Stage.SEARCH, done, len(queries), len(failures))
    pairs = _pairs(run, archive, ranked)
    return _model_saliency(run, pairs, sample, options=options, begin=begin, failures=failures)


def _pairs(run: Run, archive: FilledArchive, ranked: Sequence[RankedQuery]) -> list[Pair]:
    return [pair_of(run, archive, each.query, int(each.ranking[0])) for each in sorted(ranked, key=lambda r: r.query)]


def _model_saliency(
    run: Run,
    pairs: Sequence[Pair],
    sample: Sample,
    *,
    options: SaliencyOptions,
    begin: float,
    failures: Sequence[Failure] = (),
) -> ModelSaliency:
    done: list[ExplainedPair] = []
    run.progress(Stage.EXPLAIN, 0, len(pairs))
    for each in explained(run.service, pairs, options):
        done.append(each)
        run.progress(Stage.EXPLAIN, len(done), len(pairs))
    done.sort(key=lambda each: each.pair.query)
    lost = [outcome for each in done for outcome in each.outcomes if isinstance(outcome, Failure)]
    return ModelSaliency(
        model=model_summary(run.model),
        queries=len(pairs),
        methods=tuple(
            _method_saliency(number, method, done, sample=sample, options=run.options)
            for number, method in enumerate(options.methods)
        ),
        failures=(*failures, *lost),
        seconds=time.monotonic() - begin,
    )


def _method_saliency(
    number: int, method: Method, pairs: Sequence[ExplainedPair], *, sample: Sample, options: EvaluationOptions
) -> MethodSaliency:
    maps = tuple(each for pair in pairs if (each := _assessed(pair, number)) is not None)
    classes = (
        _group(label, [each for each in maps if each.query in queries], options)
        for label, queries in sample.classes.items()
    )
    return MethodSaliency(
        method=method_name(method),
        description=described(method),
        failed=len(pairs) - len(maps),
        overall=_group("overall", maps, options),
        classes=tuple(group for group in classes if group is not None),
        maps=maps,
    )


def _assessed(explained_pair: ExplainedPair, number: int) -> AssessedMap | None:
    pair, outcome = explained_pair.pair, explained_pair.outcomes[number]
    if isinstance(outcome, Failure):
        return None
    return AssessedMap(pair.query, pair.query_file, pair.result_file, pair.relevant, map_figures(outcome))


def _group(name: str, maps: Sequence[AssessedMap], options: EvaluationOptions) -> Group | None:
    if not maps:
        return None
    table = np.array([list(each.figures.values()) for each in maps])
    means = estimates(table, seed=options.seed, resamples=options.resamples)
    return Group(name, len(maps), dict(zip(maps[0].figures, means, strict=True)))
