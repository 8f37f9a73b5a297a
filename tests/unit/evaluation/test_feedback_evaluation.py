from pathlib import Path

import pytest

from support.fake_evaluation import FakeService, pixel_item
from xmirad.client.search_types import Feedback
from xmirad.datasets import Dataset
from xmirad.evaluation.beside import Beside
from xmirad.evaluation.evaluate import evaluate
from xmirad.evaluation.options import EvaluationOptions, Stage
from xmirad.types import EncodedImage

OPTIONS = EvaluationOptions(resamples=100, feedback_rounds=2)


def images(folder: Path, count: int, *, seed: int = 0) -> Dataset:
    items = []
    for number in range(count):
        pixels = [60 + (37 * number + seed) % 90, 70 + (53 * number) % 80, 90, 40 + (29 * number + seed) % 100]
        pixels[number % 2] += 60
        items.append(pixel_item(folder / f"{seed}-{number:02d}.png", pixels, labels=(("x", "y")[number % 2],)))
    return Dataset(f"set-{seed}", tuple(items))


def test_items_are_asked_again_by_name_and_rounds_are_reported(tmp_path: Path) -> None:
    service = FakeService()
    told: list[tuple[Stage | int, ...]] = []
    report = evaluate(service, images(tmp_path, 16), options=OPTIONS, progress=lambda *each: told.append(each))
    assert report.feedback is not None
    assert [each.round for each in report.feedback.rounds] == [1, 2]
    assert (report.feedback.queries, report.feedback.failures) == (16, ())
    sources = [search.source for search in service.searches]
    assert all(isinstance(each, EncodedImage) for each in sources[:16])
    assert all(isinstance(each, str) for each in sources[16:32])
    assert all(isinstance(each, Feedback) and isinstance(each.source, str) for each in sources[32:])
    assert told[-1] == (Stage.FEEDBACK, 48, 48)


def test_queries_beside_the_archive_are_asked_by_their_images(tmp_path: Path) -> None:
    service = FakeService()
    beside = Beside(archive=images(tmp_path, 16))
    report = evaluate(service, images(tmp_path, 8, seed=7), beside=beside, options=OPTIONS)
    assert report.feedback is not None
    assert report.feedback.queries == 8
    last = service.searches[-1]
    assert isinstance(last.source, Feedback)
    assert isinstance(last.source.source, EncodedImage)
    assert last.filter.excluded_items == ()


def test_the_first_ranking_is_that_of_the_evaluation(tmp_path: Path) -> None:
    report = evaluate(FakeService(), images(tmp_path, 40), options=OPTIONS)
    assert report.feedback is not None
    plain = report.overall.figures["mean_average_precision"].value
    assert report.feedback.rounds[0].mean_average_precision_without.value == pytest.approx(plain, abs=0.05)


def test_nobody_gives_feedback_unasked(tmp_path: Path) -> None:
    service = FakeService()
    assert evaluate(service, images(tmp_path, 6), options=EvaluationOptions(resamples=100)).feedback is None
    assert len(service.searches) == 6
