"""What is asked of the explainer."""

from dataclasses import dataclass

from xmirad.api.vocabulary import ExplanationPriority
from xmirad.archive.feedback import Judgments
from xmirad.explanations.records import ActivationParameters, MethodName, OcclusionParameters
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.method import ExplainedImage
from xmirad_services.retrieval.queries import Source

OCCLUSION = OcclusionParameters()
ACTIVATION = ActivationParameters()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationTask:
    """Pairs to explain whose fields are checked; items are ids of the archive.

    Attributes:
        site: The caller's site.
        archive: The archive's id.
        source: An image, an item's id, or a vector.
        judged: What the reader thinks of earlier results, or None.
        items: The results.
        fields: Where the request names each result.
        method: How to explain.
        explained_image: On which image the maps lie.
        contrast: The item that the results are held against, or an empty string.
        form: Of ATTENTION.
        positives: Items of ATTENTION.
        negatives: Items of ATTENTION.
        occlusion: Parameters of OCCLUSION.
        activation: Parameters of ACTIVATION.
        published_fidelity: Whether fidelity is computed by the published definition too.
        priority: Who waits.
    """

    site: str
    archive: str
    source: Source
    items: tuple[str, ...]
    fields: tuple[str, ...]
    judged: Judgments | None = None
    method: MethodName = MethodName.OCCLUSION
    explained_image: ExplainedImage = ExplainedImage.RESULT
    contrast: str = ""
    form: AttentionForm = AttentionForm.SIAMESE_POSITIVE
    positives: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    occlusion: OcclusionParameters = OCCLUSION
    activation: ActivationParameters = ACTIVATION
    published_fidelity: bool = False
    priority: ExplanationPriority = ExplanationPriority.INTERACTIVE

    @property
    def made_from(self) -> tuple[str, ...]:
        """The items that feedback makes the query of, sorted; none without feedback."""
        if self.judged is None:
            return ()
        query = {self.source} if isinstance(self.source, str) else set()
        return tuple(sorted(query | set(self.judged.items)))
