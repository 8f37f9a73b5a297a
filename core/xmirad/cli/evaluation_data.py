"""What an evaluation was asked for: the data sets, and whether maps are evaluated."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from xmirad.datasets.dataset import Dataset, Layout
from xmirad.datasets.reading import read_dataset
from xmirad.datasets.selection import EVERYTHING, Selection
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.options import SaliencyOptions


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """The data sets of an evaluation.

    Attributes:
        queries: What is searched with.
        beside: What takes part beside it.
    """

    queries: Dataset
    beside: Beside


def evaluation_data(
    data: Path,
    *,
    layout: Layout | None,
    split: str | None,
    full: bool,
    archive_split: str | None = None,
    calibration_split: str | None = None,
    other_data: Path | None = None,
    selection: Selection = EVERYTHING,
) -> EvaluationData:
    """Read the data sets that an evaluation was asked for with.

    Raises:
        InvalidRequestError: If one cannot be read, or two are the same.
    """
    read: Callable[..., Dataset] = partial(read_dataset, data, layout=layout, full=full, selection=selection)
    queries = read(split=split)
    archive = None if archive_split is None else read(split=archive_split)
    validation = None if calibration_split is None else read(split=calibration_split)
    for option, part in (("archive_split", archive), ("calibration_split", validation)):
        if part is not None and part.name == queries.name:
            raise InvalidRequestError(f"{part.name} is what is searched with; name another split", field=option)
    if archive is not None and validation is not None and archive.name == validation.name:
        message = f"{validation.name} is the archive; the temperature needs a split of its own"
        raise InvalidRequestError(message, field="calibration_split")
    other = None if other_data is None else read_dataset(other_data, selection=replace(selection, images=None))
    return EvaluationData(queries, Beside(archive=archive, validation=validation, other_data=other))


def saliency_options(*, asked: bool, queries: int | None, every_query: bool, control: str) -> SaliencyOptions | None:
    """Return how maps are evaluated, or None if nothing asks for it.

    Raises:
        InvalidRequestError: If both a number of queries and all of them are asked for.
    """
    if every_query and queries is not None:
        raise InvalidRequestError("either draw some queries or take all", field="saliency_queries")
    if not (asked or every_query or queries is not None or control):
        return None
    drawn = None if every_query else queries or SaliencyOptions().queries_per_class
    return SaliencyOptions(queries_per_class=drawn, control=control)
