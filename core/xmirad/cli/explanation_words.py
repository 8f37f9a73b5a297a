"""Says in plain words what an explanation is: its method, how exact its map is, and what the map is worth."""

from dataclasses import fields
from typing import TYPE_CHECKING

from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, OcclusionMethod
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.geometry import Point
from xmirad.saliency.method import ExplainedImage

if TYPE_CHECKING:
    from xmirad.client.explanation_types import Explanation, ExplanationMap

NAMES = {OcclusionMethod: "Occlusion", AttentionMethod: "Attention", ActivationMethod: "Activation"}
NOT_MEASURED = "Fidelity not measured: whether this map is better than chance is not known"


def method_words(explanation: "Explanation") -> str:
    """Return the method with its parameters, and the model."""
    method = explanation.method
    parameters = [f"{each.name} {_parameter(getattr(method, each.name))}" for each in fields(method)]
    given = ", ".join(text for text in parameters if not text.endswith(" "))
    return f"{NAMES[type(method)]}: {given}. Model {explanation.model.removeprefix('models/')[:12]}."


def map_words(saliency: "ExplanationMap") -> str:
    """Return whether a map is exact, how far a preview may be off, and the fidelity that the verdict follows from."""
    text = "Exact map" if saliency.is_exact else "Preview"
    if saliency.estimated_error is not None:
        text += f", estimated error {saliency.estimated_error:.0%} of the largest response"
    if (fidelity := saliency.fidelity) is not None and fidelity.controls:
        best = max(fidelity.controls)
        text += f"; fidelity {fidelity.fidelity:+.3f}, best of {len(fidelity.controls)} controls {best:+.3f}"
    return text


def verdict_words(saliency: "ExplanationMap") -> str:
    """Return what a map is worth against chance, with its p, or that this is not measured."""
    fidelity = saliency.fidelity
    if fidelity is None or fidelity.verdict is None:
        return NOT_MEASURED
    chance = f"(p = {fidelity.p_value:.2f})"
    if fidelity.verdict is Verdict.BETTER_THAN_CHANCE:
        return f"Better than chance {chance}"
    return f"No better than chance {chance}: do not rely on this map"


def scale_words(explanation: "Explanation", saliency: "ExplanationMap") -> str:
    """Return the unit of a map's values, for its legend."""
    if isinstance(explanation.method, AttentionMethod):
        return "Color: strength without a unit, 0 to the largest value of this map."
    if isinstance(explanation.method, ActivationMethod):
        unit = "part of the score (cosine similarity, -1 to 1)"
    elif explanation.contrast_item and saliency.explained_image is ExplainedImage.QUERY:
        unit = "difference of two changes of the embeddings' distance (Euclidean)"
    else:
        unit = "change of the embeddings' distance (Euclidean, -2 to 2)"
    return f"Color: {unit} at each pixel."


def _parameter(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return f"{len(value)}" if value else ""
    if isinstance(value, Point):
        return f"row {value.row:g}, column {value.column:g}"
    return "" if value is None else str(value)
