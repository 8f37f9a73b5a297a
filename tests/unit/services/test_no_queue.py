"""A service without a queue."""

import inspect

import pytest

from xmirad.errors import BackendUnavailableError
from xmirad.explanations.ports import Board, TaskQueue
from xmirad_services.retrieval.no_queue import NoQueue

METHODS = [name for port in (Board, TaskQueue) for name in vars(port) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_that_there_is_no_queue(name: str) -> None:
    method = getattr(NoQueue(), name)
    parameters = inspect.signature(method).parameters.values()
    positional = [object() for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    keywords = {each.name: object() for each in parameters if each.kind is each.KEYWORD_ONLY}

    with pytest.raises(BackendUnavailableError, match="xmirad up") as caught:
        method(*positional, **keywords)
    assert caught.value.metadata == {"backend": "queue"}
