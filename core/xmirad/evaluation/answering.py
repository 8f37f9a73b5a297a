"""Asking an archive with every query and collecting the answers' figures."""

from dataclasses import dataclass, replace

from xmirad.datasets import Dataset
from xmirad.evaluation.asking import Asked, images_beside, own_images
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.figures import FigureSet
from xmirad.evaluation.lab.studying import NEIGHBORS
from xmirad.evaluation.options import Stage
from xmirad.evaluation.replay import ranked_results, replay
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.run import Run
from xmirad.evaluation.truth import truth_of
from xmirad.evaluation.uploading import FilledArchive, fill_archive
from xmirad.evidence import distance_to_nearest


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What came of asking.

    Attributes:
        asked: The queries.
        archive: What they were ranked against.
        collector: Their figures.
        failures: The images that could not be read, stored or searched with.
    """

    asked: Asked
    archive: FilledArchive
    collector: Collector
    failures: tuple[Failure, ...]


def answered(run: Run, archive: FilledArchive, asked: Asked) -> Answers:
    """Ask an archive with every query.

    Raises:
        XmiradError: If the service refuses or breaks off the stream.
    """
    top_k = ranked_results(run, archive, asked)
    whole = len(archive.names) - int(asked.leave_one_out)
    collector = Collector(
        truth=truth_of([each.item for each in archive.images], queries=None if asked.leave_one_out else asked.items),
        figures=FigureSet(cutoff=None if top_k == whole else top_k, query_in_archive=asked.leave_one_out),
        kept_results=run.options.example_results,
    )
    failures: list[Failure] = []
    for done, answer in enumerate(replay(run, archive, asked, top_k=top_k), start=1):
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            collector.add(answer)
        run.progress(Stage.SEARCH, done, len(asked), len(failures))
    failures.sort(key=lambda failure: failure.file)
    return Answers(asked, archive, collector, (*archive.failures, *asked.failures, *failures))


def validation_answers(run: Run, validation: Dataset, archive: FilledArchive | None) -> Answers:
    """Ask with validation images as the evaluated ones ask: a separate archive, or without one each other.

    Raises:
        XmiradError: If the service refuses or breaks off.
    """
    if archive is not None:
        return answered(run, archive, images_beside(validation, archive))
    own = replace(run, dataset=validation)
    filled = fill_archive(own)
    return answered(own, filled, own_images(validation, filled))


def foreign_distances(run: Run, archive: FilledArchive, asked: Asked) -> tuple[list[float], tuple[Failure, ...]]:
    """Return how far images are from their nearest items in the mean, in any order, and what failed.

    Raises:
        XmiradError: If the service refuses or breaks off the stream.
    """
    distances: list[float] = []
    failures: list[Failure] = list(asked.failures)
    top_k = min(NEIGHBORS, len(archive.names))
    for done, answer in enumerate(replay(run, archive, asked, top_k=top_k), start=1):
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            distances += map(float, distance_to_nearest(answer.scores[None], neighbors=NEIGHBORS))
        run.progress(Stage.SEARCH, done, len(asked), len(failures))
    return distances, tuple(sorted(failures, key=lambda failure: failure.file))
