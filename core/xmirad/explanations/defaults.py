"""Fills in what a request leaves open, so that two ways to ask the same have one id."""

from dataclasses import replace

from xmirad.explanations.records import (
    ActivationParameters,
    AttentionParameters,
    ExplanationRequest,
    MethodName,
    OcclusionParameters,
)
from xmirad.saliency.attention import AttentionForm


def with_defaults(request: ExplanationRequest) -> ExplanationRequest:
    """Return a request in which everything is said, and nothing of other methods than its own."""
    is_occlusion = request.method is MethodName.OCCLUSION
    is_activation = request.method is MethodName.ACTIVATION
    occlusion = replace(request.occlusion, signed=request.occlusion.signed or request.contrast is not None)
    return replace(
        request,
        occlusion=occlusion if is_occlusion else OcclusionParameters(),
        attention=_attention(request) if request.method is MethodName.ATTENTION else AttentionParameters(),
        activation=request.activation if is_activation else ActivationParameters(),
    )


def _attention(request: ExplanationRequest) -> AttentionParameters:
    given, result = request.attention, (request.result,)
    if given.form is AttentionForm.SIAMESE_NEGATIVE:
        return replace(given, negatives=given.negatives or result)
    return replace(given, positives=given.positives or result)
