"""Which images a step sees: P classes with K images each (P-K sampling)."""

import numpy as np
from pytorch_metric_learning.samplers import MPerClassSampler
from pytorch_metric_learning.utils import common_functions

from xmirad.errors import InvalidRequestError
from xmirad.training.data import IndexArray
from xmirad.training.recipe import BatchRecipe


class Batches:
    """The batches of every epoch, each drawn from the seed and its number alone, so that any can be drawn again."""

    def __init__(self, labels: IndexArray, recipe: BatchRecipe, *, seed: int) -> None:
        """Keep what to draw from.

        Args:
            labels: `[N]`, each training image's class, counted from 0.
            recipe: Classes and images in a batch.
            seed: Of the drawing.

        Raises:
            InvalidRequestError: If there are fewer classes than a batch needs.
        """
        self._labels = labels
        self._seed = seed
        counts = np.bincount(labels)
        self._images_per_class = recipe.images_per_class
        self._classes = recipe.classes or len(counts)
        if self._classes > len(counts):
            message = f"a batch takes {self._classes} classes, but there are {len(counts)}"
            raise InvalidRequestError(message, field="batch.classes", metadata={"classes": str(len(counts))})
        self.steps = recipe.steps or max(1, int(counts.min()) // recipe.images_per_class)

    @property
    def size(self) -> int:
        """Images in a batch."""
        return self._classes * self._images_per_class

    def epoch(self, number: int) -> IndexArray:
        """Return an epoch's batches, `[steps, P * K]` positions of training images."""
        length = self.steps * self.size
        sampler = MPerClassSampler(
            self._labels, m=self._images_per_class, batch_size=self.size, length_before_new_iter=length
        )
        before = common_functions.NUMPY_RANDOM
        common_functions.NUMPY_RANDOM = np.random.default_rng((self._seed, number))
        try:
            drawn = np.fromiter(iter(sampler), dtype=np.intp, count=length)
        finally:
            common_functions.NUMPY_RANDOM = before
        return drawn.reshape(self.steps, self.size)
