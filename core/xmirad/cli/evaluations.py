"""Runs an evaluation with a progress bar."""

from contextlib import ExitStack

from xmirad.cli.evaluation_data import EvaluationData
from xmirad.cli.output import Output
from xmirad.cli.progress import Meter, meter
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, Stage
from xmirad.evaluation.report import EvaluationReport
from xmirad.evaluation.service import Service

TITLES = {Stage.UPLOAD: "Indexing", Stage.SEARCH: "Searching", Stage.EXPLAIN: "Explaining", Stage.FEEDBACK: "Judging"}


def evaluated(service: Service, data: EvaluationData, options: EvaluationOptions, output: Output) -> EvaluationReport:
    """Evaluate a data set, showing the progress of each stage."""
    beside = data.beside
    for part in filter(None, (data.queries, beside.archive, beside.validation, beside.other_data)):
        for warning in part.warnings:
            output.note(f"warning: {warning}")
    with Stages(data.queries.name, output) as stages:
        return evaluate(service, data.queries, beside=beside, options=options, progress=stages)


class Stages:
    """Shows one meter after the other."""

    def __init__(self, name: str, output: Output) -> None:
        """Show the stages of something about a data set of this name."""
        self._name = name
        self._output = output
        self._stack = ExitStack()
        self._stage: Stage | None = None
        self._meter: Meter | None = None

    def __enter__(self) -> "Stages":
        """Return the progress."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the last meter."""
        self._stack.close()

    def __call__(self, stage: Stage, done: int, total: int, failed: int = 0) -> None:
        """Note the progress."""
        if stage is not self._stage or self._meter is None:
            self._stack.close()
            self._stage = stage
            self._meter = self._stack.enter_context(meter(f"{TITLES[stage]} {self._name}", total, self._output))
        self._meter.update(done, failed)
