"""One evaluation: what is evaluated, by whom, and how."""

from dataclasses import dataclass

from xmirad.client.types import ModelInfo
from xmirad.datasets import Dataset
from xmirad.evaluation.options import EvaluationOptions, Progress
from xmirad.evaluation.service import Service
from xmirad.regular_files import MAX_IMAGE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One evaluation.

    Attributes:
        service: The running service.
        dataset: The images.
        model: The model that the service embeds them with.
        options: How it is run.
        progress: Is told how far it is.
        max_image_bytes: Largest image file that the service accepts.
    """

    service: Service
    dataset: Dataset
    model: ModelInfo
    options: EvaluationOptions
    progress: Progress
    max_image_bytes: int = MAX_IMAGE_BYTES
