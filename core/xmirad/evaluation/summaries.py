"""What a report says of the data set and of a model."""

from collections import Counter
from collections.abc import Sequence

from xmirad.client.types import ModelInfo
from xmirad.datasets import Dataset
from xmirad.datasets.digests import data_digest
from xmirad.datasets.duplicates import duplicates
from xmirad.evaluation.asking import Asked
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.report_parts import DatasetSummary, Digests, ModelSummary, QueryRecord
from xmirad.evaluation.uploading import FilledArchive
from xmirad.ids import canonical_digest


def dataset_summary(dataset: Dataset, readable: Sequence[int]) -> DatasetSummary:
    """Sum up a data set.

    Args:
        dataset: The data set.
        readable: Indices of the images that could be read, which are looked through for copies.
    """
    attributes = [item.attributes for item in dataset.items]
    stored = [dataset.items[index] for index in readable]
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


def digests(asked: Asked, archive: FilledArchive, model: ModelInfo) -> Digests:
    """Return the digests of queries and archive."""
    archive_data = data_digest(archive.images)
    return Digests(
        queries=data_digest(asked.images),
        archive_data=archive_data,
        archive=canonical_digest({"data": archive_data, "model": model.digest}),
    )


def query_records(collector: Collector, asked: Asked) -> tuple[QueryRecord, ...]:
    """Return the figures of every query that has any, in order."""
    names = collector.figures.names
    return tuple(
        QueryRecord(
            key=asked.images[each.query].key,
            image_digest=asked.images[each.query].image_digest,
            labels=asked.images[each.query].item.attributes.labels,
            figures=dict(zip(names, map(float, each.values), strict=True)),
        )
        for each in collector.in_order
        if each.values is not None
    )
