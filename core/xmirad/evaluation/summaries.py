"""What a report says of the data set and of a model."""

from collections import Counter

from xmirad.client.types import ModelInfo
from xmirad.datasets import Dataset
from xmirad.datasets.duplicates import duplicates
from xmirad.evaluation.report import DatasetSummary
from xmirad.evaluation.report_parts import ModelSummary
from xmirad.evaluation.uploading import FilledArchive


def dataset_summary(dataset: Dataset, archive: FilledArchive) -> DatasetSummary:
    """Sum up a data set of which an archive holds what could be stored."""
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


def model_summary(model: ModelInfo) -> ModelSummary:
    """Sum up a model."""
    return ModelSummary(
        display_name=model.display_name,
        digest=model.digest,
        architecture=model.architecture,
        embedding_size=model.embedding_size,
        preprocessing_json=model.preprocessing_json,
        training_data=model.training_data,
        license=model.license,
    )
