"""Checks of single fields."""

import pytest

from xmirad.api import checks
from xmirad.errors import InvalidRequestError


@pytest.mark.parametrize(("asked", "given"), [(0, 100), (1, 1), (1000, 1000)])
def test_a_page_has_as_many_entries_as_asked_for(asked: int, given: int) -> None:
    assert checks.page_size(asked) == given


@pytest.mark.parametrize("asked", [-1, 1001])
def test_a_page_size_beyond_the_limit_is_refused(asked: int) -> None:
    with pytest.raises(InvalidRequestError, match="page_size must be 0 to 1000"):
        checks.page_size(asked)


@pytest.mark.parametrize("asked", [-1, 0, 51])
def test_a_top_k_beyond_the_limit_is_refused_and_never_coerced(asked: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checks.top_k(asked, maximum=50)

    assert caught.value.field == "top_k"
    assert caught.value.metadata == {"minimum": "1", "maximum": "50", "value": str(asked)}


def test_a_top_k_within_the_limit_is_kept() -> None:
    assert [checks.top_k(asked, maximum=50) for asked in (1, 50)] == [1, 50]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -1.01, 1.01])
def test_a_min_score_that_no_cosine_reaches_is_refused(score: float) -> None:
    with pytest.raises(InvalidRequestError, match="min_score must be -1 to 1"):
        checks.min_score(score)


@pytest.mark.parametrize(("name", "short"), [("", ""), ("models/lite0", "lite0"), ("models/ab12", "ab12")])
def test_a_model_is_named_by_its_resource_name(name: str, short: str) -> None:
    assert checks.model(name) == short


@pytest.mark.parametrize("name", ["lite0", "models/", "archives/lite0", "models/ lite0"])
def test_another_name_is_no_model(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checks.model(name)

    assert caught.value.field == "model"


def test_identifiers_have_their_limits() -> None:
    assert checks.external_id("patient 1 (2).png") == "patient 1 (2).png"
    assert checks.correlation_id("x" * 128) == "x" * 128
    with pytest.raises(InvalidRequestError, match="at most 256"):
        checks.external_id("x" * 257)
    with pytest.raises(InvalidRequestError, match="at most 128"):
        checks.correlation_id("x" * 129)
