"""The figures of one map, by the names of `xmirad.evaluation.saliency_report`, and the words for methods."""

from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, MapFidelity, Method
from xmirad.saliency.fidelity import Verdict
from xmirad.types import MethodName

FIDELITY, CHANCE_FIDELITY, BETTER_THAN_CHANCE = "fidelity", "chance_fidelity", "better_than_chance"
INSERTION, DELETION = "insertion", "deletion"
INSERTION_XMIR, DELETION_XMIR = "insertion_xmir", "deletion_xmir"


def map_figures(worth: MapFidelity) -> dict[str, float]:
    """Return the figures of a map; the published ones as far as they are known."""
    figures = {
        FIDELITY: worth.fidelity,
        CHANCE_FIDELITY: sum(worth.controls) / max(len(worth.controls), 1),
        BETTER_THAN_CHANCE: float(worth.verdict is Verdict.BETTER_THAN_CHANCE),
        INSERTION: worth.areas.insertion,
        DELETION: worth.areas.deletion,
    }
    if worth.published is not None:
        figures |= {INSERTION_XMIR: worth.published.insertion, DELETION_XMIR: worth.published.deletion}
    return figures


def method_name(method: Method) -> MethodName:
    """Return the name of a method."""
    match method:
        case AttentionMethod():
            return MethodName.ATTENTION
        case ActivationMethod():
            return MethodName.ACTIVATION
        case _:
            return MethodName.OCCLUSION


def described(method: Method) -> str:
    """Return a method with the parameters that it was evaluated with, for people."""
    match method:
        case AttentionMethod():
            return f"attention, form {method.form}"
        case ActivationMethod():
            return "activation" + _signed(method.signed)
        case _:
            lengths = f"window {method.window}, stride {method.stride}"
            return f"occlusion, {lengths}, fill {method.fill}, codec {method.codec}" + _signed(method.signed)


def _signed(signed: bool) -> str:
    return ", signed" if signed else ""
