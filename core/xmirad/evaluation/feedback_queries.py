"""The evaluated queries as a simulated reader of feedback asks with them."""

import numpy as np

from xmirad.client.search_types import PlainSource
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.answering import Answers
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.uploading import read_image


class EvaluatedQueries:
    """The queries of an evaluation; those that are items of the archive are asked by name, which spares embedding."""

    def __init__(self, answers: Answers, *, max_image_bytes: int) -> None:
        """Ask with the queries that were answered; no image file is read that is larger than the service accepts."""
        self._max_image_bytes = max_image_bytes
        self._asked = answers.asked
        self._names = answers.archive.names
        self._truth = answers.collector.truth
        self._answered = answers.collector.queries.keys()

    def __len__(self) -> int:
        """Return how many queries there are."""
        return len(self._asked)

    def name(self, query: int) -> str:
        """Return the name of a query's file."""
        return self._asked.items[query].path.name

    def source(self, query: int) -> PlainSource:
        """Return the item's name, or the image.

        Raises:
            InvalidRequestError: If the file cannot be read.
        """
        if self._asked.leave_one_out:
            return self._names[query]
        image = read_image(self._asked.items[query], max_bytes=self._max_image_bytes)
        if isinstance(image, Failure):
            raise InvalidRequestError(image.message, field="path")
        return image

    def own_items(self, query: int) -> tuple[str, ...]:
        """Return the name of the query's own item, if it has one."""
        return (self._names[query],) if self._asked.leave_one_out else ()

    def relevant_items(self, query: int) -> frozenset[str]:
        """Return the names of the relevant items; none for a query that was not answered before."""
        if query not in self._answered:
            return frozenset()
        return frozenset(self._names[item] for item in np.flatnonzero(self._truth.relevant(query)))
