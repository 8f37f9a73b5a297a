"""One evaluation: what is evaluated, by whom, and how."""

from dataclasses import dataclass

from xmirad.client.types import ModelInfo
from xmirad.datasets import Dataset
from xmirad.evaluation.options import EvaluationOptions, Progress
from xmirad.evaluation.service import Service


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One evaluation.

    Attributes:
        service: The running service.
        dataset: The images.
        model: The model that the service embeds them with.
        options: How it is run.
        progress: Is told how far it is.
    """

    service: Service
    dataset: Dataset
    model: ModelInfo
    options: EvaluationOptions
    progress: Progress
