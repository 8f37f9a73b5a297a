"""P-K sampling."""

import numpy as np
import pytest

from xmirad.errors import InvalidRequestError
from xmirad.training.batches import Batches
from xmirad.training.recipe import BatchRecipe

LABELS = np.repeat([0, 1, 2], [40, 13, 25])


def test_every_batch_has_k_different_images_of_each_class() -> None:
    batches = Batches(LABELS, BatchRecipe(images_per_class=5, steps=7), seed=0)
    for batch in batches.epoch(0):
        assert np.bincount(LABELS[batch]).tolist() == [5, 5, 5]
        assert len(set(batch.tolist())) == 15


def test_an_epoch_is_as_long_as_the_smallest_class_lasts_unless_told_otherwise() -> None:
    assert Batches(LABELS, BatchRecipe(images_per_class=4), seed=0).steps == 3


def test_an_epoch_s_batches_depend_on_seed_and_number_alone() -> None:
    batches = Batches(LABELS, BatchRecipe(images_per_class=4), seed=1)
    later = batches.epoch(5)
    batches.epoch(0)
    assert np.array_equal(batches.epoch(5), later)
    assert not np.array_equal(batches.epoch(4), later)
    assert not np.array_equal(Batches(LABELS, BatchRecipe(images_per_class=4), seed=2).epoch(5), later)


def test_fewer_classes_than_there_are_can_make_a_batch() -> None:
    batches = Batches(LABELS, BatchRecipe(classes=2, images_per_class=4, steps=20), seed=0)
    classes = {frozenset(LABELS[batch].tolist()) for batch in batches.epoch(0)}
    assert {len(each) for each in classes} == {2}
    assert len(classes) == 3


def test_more_classes_than_there_are_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="takes 4 classes, but there are 3"):
        Batches(LABELS, BatchRecipe(classes=4), seed=0)
