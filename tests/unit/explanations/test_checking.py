"""Requests that no method can answer are refused before anything is stored, and the field is named."""

from typing import Any

import pytest

from support.explaining import World
from xmirad.errors import InvalidRequestError
from xmirad.explanations.checking import check_request
from xmirad.explanations.defaults import with_defaults
from xmirad.explanations.records import ActivationParameters, AttentionParameters, MethodName, OcclusionParameters
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage

WORLD = World()
ITEM, RESULT, OTHER, VECTOR = WORLD.item(1), WORLD.item(2), WORLD.item(3), WORLD.vector(4)
QUERY_SIDE, BOTH = ExplainedImage.QUERY, ExplainedImage.BOTH


def occlusion(**given: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"occlusion": OcclusionParameters(**given)}


def attention(form: AttentionForm, **given: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"method": MethodName.ATTENTION, "attention": AttentionParameters(form=form, **given)}


def activation(row: float, column: float, **given: Any) -> dict[str, Any]:  # noqa: ANN401
    point = ActivationParameters(point=(row, column))
    return {"method": MethodName.ACTIVATION, "activation": point, "query": WORLD.query(5), **given}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (occlusion(window=33), "options.occlusion.window"),
        (occlusion(window=0), "options.occlusion.window"),
        (occlusion(window=8, stride=0), "options.occlusion.stride"),
        (occlusion(window=8, stride=-1), "options.occlusion.stride"),
        (occlusion(window=8, stride=9), "options.occlusion.stride"),
        (occlusion(window=8, stride=1), "options.occlusion.stride"),
        (occlusion(window=8, stride=4, fill=Fill.IMAGE), "options.occlusion.fill"),
        ({"contrast": RESULT}, "options.contrast_item"),
        ({"contrast": OTHER, "method": MethodName.ACTIVATION}, "options.contrast_item"),
        ({"query": VECTOR, "explained_image": QUERY_SIDE}, "options.explained_image"),
        ({"query": VECTOR, "explained_image": BOTH}, "options.explained_image"),
        ({"query": VECTOR, "method": MethodName.ATTENTION}, "query"),
        ({"query": VECTOR, "method": MethodName.ACTIVATION}, "query"),
        (activation(64.0, 1.0), "options.activation.point"),
        (activation(1.0, -0.6), "options.activation.point"),
        (activation(0.0, 0.0), "options.activation.point"),  # cropped away
        (activation(30.0, 30.0, explained_image=QUERY_SIDE), "options.explained_image"),
        (activation(30.0, 30.0, explained_image=BOTH), "options.explained_image"),
        (attention(AttentionForm.TRIPLET), "options.attention.negative_items"),
        (attention(AttentionForm.TRIPLET, negatives=(OTHER, ITEM)), "options.attention.negative_items"),
        (attention(AttentionForm.QUADRUPLET, negatives=(OTHER,)), "options.attention.negative_items"),
        (attention(AttentionForm.SIAMESE_NEGATIVE, positives=(OTHER,)), "options.attention.positive_items"),
        (attention(AttentionForm.SIAMESE_POSITIVE, positives=(OTHER,)), "options.attention.positive_items"),
    ],
)
def test_what_cannot_be_explained_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    request = with_defaults(WORLD.request(**changes))
    with pytest.raises(InvalidRequestError) as caught:
        check_request(request, max_windows=1_000)
    assert caught.value.field == field


def test_the_limit_of_windows_is_named() -> None:
    request = WORLD.request(**occlusion(window=8, stride=1))
    with pytest.raises(InvalidRequestError) as caught:
        check_request(request, max_windows=1_000)
    assert caught.value.metadata["highest"] == "1000"
    check_request(request, max_windows=10_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"query": VECTOR},
        {"query": VECTOR, "contrast": OTHER},
        {"query": RESULT},
        activation(30.0, 30.0),
        attention(AttentionForm.SIAMESE_NEGATIVE),
        attention(AttentionForm.TRIPLET, negatives=(OTHER,)),
        attention(AttentionForm.QUADRUPLET, negatives=(OTHER, ITEM)),
    ],
)
def test_what_can_be_explained_passes(changes: dict[str, Any]) -> None:
    check_request(with_defaults(WORLD.request(**changes)), max_windows=1_000)


def test_requests_that_say_the_same_have_one_id() -> None:
    plain = WORLD.request(method=MethodName.ATTENTION)
    said = WORLD.request(
        **attention(AttentionForm.SIAMESE_POSITIVE, positives=(RESULT,)) | occlusion(window=3, stride=1)
    )
    assert with_defaults(plain).explanation == with_defaults(said).explanation
    assert with_defaults(plain).explanation != with_defaults(WORLD.request()).explanation
